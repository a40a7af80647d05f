"""The ledger's promise: what is answered is on the disk; and many share one way to it."""

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

CREATE = Request(CreateIntent(1099, "usd", "pm_card_visa", Methods.CARD))


class Disk:
    """A disk whose writes can be held up, counted, and made to fail."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.syncs = 0
        self.failing = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    disk.ready.set()
    truly = os.fdatasync

    def fdatasync(file: int) -> None:
        disk.ready.wait(10)
        disk.syncs += 1
        if disk.failing:
            raise OSError("the disk is gone")
        truly(file)

    monkeypatch.setattr("sandbox.ledger.os.fdatasync", fdatasync)
    return disk


async def test_nothing_is_answered_before_it_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    disk.ready.clear()
    asked = asyncio.create_task(sandbox.perform(CREATE))
    await asyncio.sleep(0.05)
    assert not asked.done()
    disk.ready.set()
    assert (await asked).status == 200
    assert disk.syncs == 1
    await sandbox.close()


async def test_who_only_reads_waits_for_what_was_read_to_be_on_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
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


async def test_many_requests_share_a_sync(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    await asyncio.gather(*(sandbox.perform(CREATE) for _ in range(100)))
    assert disk.syncs < 10
    await sandbox.close()
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 102


async def test_a_disk_that_failed_once_is_not_trusted_again(tmp_path: Path, disk: Disk) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    disk.failing = True
    ledger.append({"n": 1})
    with pytest.raises(OSError, match="gone"):
        await ledger.durable()
    disk.failing = False
    ledger.append({"n": 2})
    with pytest.raises(OSError, match="gone"):
        await ledger.durable()


async def test_a_failed_disk_ends_the_sandbox(tmp_path: Path, disk: Disk) -> None:
    sandbox = Sandbox(tmp_path, Rules())
    disk.failing = True
    with pytest.raises(OSError, match="gone"):
        await asyncio.wait_for(sandbox.keep_time(), 5)
