"""`python -m sandbox`: the stand-in for Stripe, as a process.

Says one line when it listens; SIGTERM or SIGINT end it. Exit code 2, with one sentence, where the
port is taken or the data directory cannot be used.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from sandbox.faults import Faults
from sandbox.ledger import LedgerRefused
from sandbox.sandbox import Sandbox
from sandbox.server import Api, application, serving
from sandbox.world import Rules


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description="A stand-in for Stripe.")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=int, default=12111, help="0 takes a free one (12111)")
    parser.add_argument("--data", type=Path, required=True, help="directory of the ledger")
    parser.add_argument(
        "--key-life", type=int, default=Rules().key_life, help="of idempotency keys, seconds (24 h)"
    )
    parser.add_argument(
        "--latency", type=_latency, default=(0.0, 0.0), help="of replies, seconds: 0.3 or 0.1-0.5"
    )
    parser.add_argument("--seed", type=int, default=0, help="of latency and of faults by chance")
    return parser.parse_args()


def _latency(text: str) -> tuple[float, float]:
    least, _, most = text.partition("-")
    return float(least), float(most or least)


async def _serve(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    sandbox = Sandbox(options.data, Rules(key_life=options.key_life))
    api = Api(sandbox, Faults(options.seed), options.latency)
    runner, port = await serving(application(api.routes()), options.host, options.port)
    sys.stdout.write(f"sandbox listens on http://{options.host}:{port}\n")
    sys.stdout.flush()
    try:
        await stopping.wait()
    finally:
        await runner.cleanup()
        await sandbox.close()


def main() -> None:
    """Run until a signal."""
    options = _arguments()
    try:
        uvloop.run(_serve(options))
    except LedgerRefused as refused:
        sys.exit(_say(str(refused)))
    except OSError as error:
        where = f"{options.host}:{options.port}"
        sys.exit(_say(f"Cannot listen on {where}: {error.strerror}. Is another sandbox running?"))


def _say(sentence: str) -> int:
    sys.stderr.write(f"sandbox: {sentence}\n")
    return 2


if __name__ == "__main__":
    main()
