"""The ledger's durability: an answer is sent once it is on disk; concurrent requests share an fsync."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from sandbox.actions import CreateIntent, List, Request
from sandbox.ledger import Ledger
from sandbox.objects import Methods
from sandbox.sandbox import Sandbox
from sandbox.world import Page, Rules

# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300
CREATE = Request(CreateIntent(1099, "usd", "pm_card_visa", Methods.CARD))


class Disk:
    """An fdatasync that can be delayed, counted and made to fail."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.syncs = 0
        self.failing = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    disk.ready.set()
    fdatasync_of_os = os.fdatasync

    def fdatasync(file: int) -> None:
        disk.ready.wait(MAX_WAIT_SECONDS)
        disk.syncs += 1
        if disk.failing:
            raise OSError("the disk failed")
        fdatasync_of_os(file)

    monkeypatch.setattr("sandbox.ledger.os.fdatasync", fdatasync)
    return disk


async def test_a_write_is_answered_once_it_is_on_disk(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    disk.ready.clear()
    request = asyncio.create_task(sandbox.perform(CREATE))
    await asyncio.sleep(0.05)
    assert not request.done()
    disk.ready.set()
    assert (await request).status == 200
    assert disk.syncs == 1
    await sandbox.close()


async def test_a_read_is_answered_once_what_it_read_is_on_disk(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    disk.ready.clear()
    writing = asyncio.create_task(sandbox.perform(CREATE))
    await asyncio.sleep(0)
    reading = asyncio.create_task(sandbox.perform(Request(List("payment_intent"))))
    await asyncio.sleep(0.05)
    assert not reading.done()
    disk.ready.set()
    _, page = await asyncio.gather(writing, reading)
    assert isinstance(page.body, Page)
    assert len(page.body.items) == 1
    await sandbox.close()


async def test_concurrent_requests_share_an_fsync(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    await asyncio.gather(*(sandbox.perform(CREATE) for _ in range(100)))
    assert disk.syncs < 10
    await sandbox.close()
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 102


async def test_after_a_failed_fsync_every_later_write_fails(tmp_path: Path, disk: Disk) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    disk.failing = True
    ledger.append({"n": 1})
    with pytest.raises(OSError, match="failed"):
        await ledger.wait_until_durable()
    disk.failing = False
    ledger.append({"n": 2})
    with pytest.raises(OSError, match="failed"):
        await ledger.wait_until_durable()


async def test_a_failed_fsync_ends_the_timers_and_so_the_process(
    tmp_path: Path, disk: Disk
) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    disk.failing = True
    with pytest.raises(OSError, match="failed"):
        await asyncio.wait_for(sandbox.run_timers(), MAX_WAIT_SECONDS)
