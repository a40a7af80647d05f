"""`python -m verification.chaos`: a storm, and what it found. Exit code 1 where it found anything in Oncepay."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop

from oncepay_cli.local.paths import Paths
from verification.chaos.arena import ONCEPAY
from verification.chaos.campaign import run
from verification.chaos.plan import Plan


def _arguments() -> tuple[Plan, Path, str]:
    parser = argparse.ArgumentParser(
        prog="verification.chaos", description="Kill it, and count the money."
    )
    plan = Plan()
    parser.add_argument("--design", default=plan.design, help="oncepay, or a baseline")
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="of storm, at least")
    parser.add_argument("--kills", type=int, default=plan.kills, help="of services, at least")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--key-life", type=int, default=plan.key_life, help="seconds")
    parser.add_argument("--life", type=float, default=plan.life, help="of a replica, seconds")
    parser.add_argument("--database-every", type=float, default=plan.database_every)
    parser.add_argument("--peace", type=float, default=plan.peace, help="seconds to rest by itself")
    parser.add_argument("--stop", type=float, default=plan.stop, help="of a replica, seconds")
    parser.add_argument("--stop-every", type=float, default=plan.stop_every)
    parser.add_argument("--late", type=float, default=plan.late, help="of late requests, seconds")
    parser.add_argument("--refunds-at-once", type=int, default=plan.refunds_at_once)
    parser.add_argument("--folder", type=Path, default=Paths.of().home / "chaos")
    parser.add_argument(
        "--name", default="", help="of the report; storm-* is added up by `make report`"
    )
    options = vars(parser.parse_args())
    folder, name = options.pop("folder"), options.pop("name")
    plan = Plan(**options)
    if plan.refunds_at_once and not plan.refunds:
        parser.error("refunds need keys that live longer than 10 s, a stop and a late request")
    return plan, folder, name or f"storm-{plan.design}-{time.strftime('%H%M%S')}-{plan.seed}"


async def _main() -> int:
    plan, folder, name = _arguments()
    running = asyncio.create_task(run(plan))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        report = await running
    except asyncio.CancelledError:
        sys.stderr.write("Ended early: every process was ended, and nothing was judged.\n")
        return 130
    path = report.write(folder, name)
    sys.stdout.write(f"{report.as_text()}\n  {path}\n")
    return 1 if report.findings and plan.design == ONCEPAY else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(_main()))
