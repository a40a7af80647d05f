"""The service's commands as processes, and the processor while no service runs."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from support.waiting import LONG_SECONDS

from sandbox.application import application, listening
from sandbox.faults import Faults
from sandbox.sandbox import Sandbox
from sandbox.world import Rules


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    exit_code: int
    output: str
    log: str


async def run_command(*arguments: str, **environment: str) -> Result:
    """Run `python -m payment ...` to its end, with these environment variables alone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "payment", *arguments),
        env={"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(LONG_SECONDS):
        output, log = await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, output.decode(), log.decode())


async def rebind(database: Any, *arguments: str) -> Result:
    """Run `rebind` as the owner of a database."""
    return await run_command(
        "rebind",
        *arguments,
        DATABASE_URL=database.owner_url,
        DATABASE_PASSWORD=database.owner_password,
    )


async def reconcile(database: Any, processor_address: str, *arguments: str) -> Result:
    """Run `reconcile` on a database and a processor."""
    await asyncio.sleep(1 - time.time() % 1)  # what is reconciled ends with the last full second
    return await run_command(
        "reconcile",
        *arguments,
        DATABASE_URL=database.url,
        DATABASE_PASSWORD=database.password,
        STRIPE_API_KEY="sk_test_any",
        STRIPE_BASE_ADDRESS=processor_address,
    )


@asynccontextmanager
async def running_sandbox(folder: Path) -> AsyncIterator[str]:
    """A sandbox on the data in a folder; its address."""
    sandbox = Sandbox(folder, Rules())
    runner, address = await listening(application(sandbox, Faults()), "127.0.0.1", 0)
    yield address
    await runner.cleanup()
    await sandbox.close()


async def refund_in_dashboard(processor_address: str, intent_id: str, amount: int) -> None:
    """Refund a part of an intent without the service."""
    headers = {"Authorization": "Bearer sk_test_any"}
    form = {"payment_intent": intent_id, "amount": amount}
    async with (
        aiohttp.ClientSession(processor_address, headers=headers) as session,
        session.post("/v1/refunds", data=form) as reply,
    ):
        assert reply.status == 200


async def intent_ids(database: Any) -> dict[str, str]:
    """The intents of all recorded payments, by the payments' names."""
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch("SELECT id, intent_id FROM payments")
    await connection.close()
    return {f"payments/{row['id']}": row["intent_id"] for row in rows}
