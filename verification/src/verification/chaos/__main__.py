"""`python -m verification.chaos`: a run, and what it found. Exit code 1 where Oncepay broke a promise."""

import argparse
import asyncio
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

import uvloop

from oncepay_cli.local.paths import Paths
from verification.chaos.plan import Plan
from verification.chaos.run import run


def _arguments() -> tuple[Plan, Path, str]:
    parser = argparse.ArgumentParser(
        prog="verification.chaos",
        description="Kill everything, then count the money. Each option is an attribute of"
        " verification.chaos.plan.Plan.",
    )
    for option in fields(Plan):
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, type=type(option.default), default=option.default)
    parser.add_argument("--folder", type=Path, default=Paths.of().home / "chaos")
    parser.add_argument(
        "--name", default="", help="of the report; chaos-* is added up by `make report`"
    )
    options = vars(parser.parse_args())
    folder, name = options.pop("folder"), options.pop("name")
    plan = Plan(**options)
    if plan.concurrent_refunds and not plan.refunds:
        parser.error("refunds need keys that live longer than 10 s, a pause and a late request")
    return plan, folder, name or f"chaos-{plan.design}-{time.strftime('%H%M%S')}-{plan.seed}"


async def _main() -> int:
    plan, folder, name = _arguments()
    running = asyncio.create_task(run(plan))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        report = await running
    except asyncio.CancelledError:
        sys.stderr.write("Ended early: every process was ended, and nothing was compared.\n")
        return 130
    path = report.write(folder, name)
    sys.stdout.write(f"{report.as_text()}\n  {path}\n")
    return 1 if report.findings and not plan.is_baseline else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(_main()))
