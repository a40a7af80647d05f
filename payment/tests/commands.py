"""The service's commands as processes, and the processor while no service runs."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from sandbox.application import application, listening
from sandbox.faults import Faults
from sandbox.sandbox import Sandbox
from sandbox.world import Rules


async def ended(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """A command of the service's, to its end: its exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "payment", *arguments),
        env={"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said, told = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, said.decode(), told.decode()


async def adopted(database: Any, *arguments: str) -> tuple[int, str, str]:
    return await ended(
        "rebind",
        *arguments,
        DATABASE_URL=database.owner_url,
        DATABASE_PASSWORD=database.owner_password,
    )


async def compared(database: Any, processor: str, *arguments: str) -> tuple[int, str, str]:
    await asyncio.sleep(1)  # what is compared ends with the last whole second
    return await ended(
        "reconcile",
        *arguments,
        DATABASE_URL=database.url,
        DATABASE_PASSWORD=database.password,
        STRIPE_API_KEY="sk_test_any",
        STRIPE_BASE_ADDRESS=processor,
    )


@asynccontextmanager
async def sandbox_on(folder: Path) -> AsyncIterator[str]:
    """The processor while the service is stopped."""
    sandbox = Sandbox(folder, Rules())
    runner, address = await listening(application(sandbox, Faults()), "127.0.0.1", 0)
    yield address
    await runner.cleanup()
    await sandbox.close()


async def refund_in_the_dashboard(processor: str, intent_id: str, amount: int) -> None:
    async with (
        aiohttp.ClientSession(processor, headers={"Authorization": "Bearer sk_test_any"}) as web,
        web.post("/v1/refunds", data={"payment_intent": intent_id, "amount": amount}) as reply,
    ):
        assert reply.status == 200


async def intents_of(database: Any) -> dict[str, str]:
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch("SELECT id, intent_id FROM payments")
    await connection.close()
    return {f"payments/{row['id']}": row["intent_id"] for row in rows}
