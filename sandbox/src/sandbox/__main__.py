"""`python -m sandbox`: the fake Stripe as a process.

Prints one line when it listens; SIGTERM and SIGINT stop it. Exit code 2, with one sentence, where the port
is in use or the data directory cannot be used.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from sandbox.application import application, listening
from sandbox.faults import Faults, fault
from sandbox.ledger import LedgerUnusable
from sandbox.sandbox import Sandbox
from sandbox.webhooks import Webhooks
from sandbox.world import Rules


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description="A fake Stripe.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=12111, help="0 takes a free one (12111)")
    parser.add_argument("--data", type=Path, required=True, help="directory of the ledger")
    parser.add_argument(
        "--key-life",
        type=int,
        default=Rules().key_life,
        help="seconds until an idempotency key expires (24 h)",
    )
    parser.add_argument(
        "--latency", type=_latency, default=(0.0, 0.0), help="seconds per reply: 0.3 or 0.1-0.5"
    )
    parser.add_argument("--webhook-url", help="the receiver of the webhooks")
    parser.add_argument(
        "--webhook-events", type=_types, help="the types to send, separated by commas (all)"
    )
    parser.add_argument(
        "--webhook-secret-file",
        type=Path,
        help="the secrets that sign webhooks, one per line; two during a rotation",
    )
    parser.add_argument(
        "--fault", type=fault, action="append", default=[], help="one fault as JSON (see `faults`)"
    )
    parser.add_argument(
        "--open-controls", action="store_true", help="answer /_sandbox to other hosts too"
    )
    parser.add_argument("--seed", type=int, default=0, help="of latency and of random faults")
    options = parser.parse_args()
    secret_file = options.webhook_secret_file
    if options.webhook_url and not (secret_file and secret_file.is_file()):
        parser.error("--webhook-url requires an existing --webhook-secret-file")
    return options


def _types(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def _latency(text: str) -> tuple[float, float]:
    minimum, _, maximum = text.partition("-")
    return float(minimum), float(maximum or minimum)


async def _serve(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    rules = Rules(key_life=options.key_life)
    sandbox = Sandbox(
        options.data,
        rules,
        webhooks=options.webhook_url is not None,
        subscribed=options.webhook_events,
    )
    faults = Faults(options.seed, options.fault)
    app = application(sandbox, faults, options.latency, open_controls=options.open_controls)
    try:
        runner, address = await listening(app, options.host, options.port)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        raise _CannotListen(
            f"cannot listen on {where} ({error.strerror});"
            " stop the other program, or give another --port."
        ) from None
    tasks = [asyncio.create_task(sandbox.run_timers())]
    if options.webhook_url:
        secrets = options.webhook_secret_file.read_text().split()
        webhooks = Webhooks(sandbox, faults, options.webhook_url, secrets, address)
        tasks.append(asyncio.create_task(webhooks.run()))
    sys.stdout.write(f"sandbox listens on {address}\n")
    sys.stdout.flush()
    stopped = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a background task ends only by failing
    finally:
        for task in (stopped, *tasks):
            task.cancel()
        await asyncio.gather(stopped, *tasks, return_exceptions=True)
        await runner.cleanup()
        await sandbox.close()


class _CannotListen(Exception):
    """The server cannot listen. The message says why, and what to do."""


def main() -> None:
    """Run until a signal."""
    try:
        uvloop.run(_serve(_arguments()))
    except (_CannotListen, LedgerUnusable) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
