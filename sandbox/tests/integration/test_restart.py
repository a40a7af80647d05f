"""What was answered is there after a restart and after kill -9, on real processes."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.ledger import LedgerRefused
from sandbox.sandbox import Sandbox
from sandbox.world import Rules

from .conftest import Eventually, OpenShop, Processes, RunSandbox, Shop


async def test_everything_is_there_after_a_restart_also_the_keys(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        paid = await shop.confirm((await shop.create(metadata={"uuid": "é"})).id, key="k")
        held = await shop.pay(capture_method="manual")
        refund = await shop.refund(paid.id, amount=5, reason="fraudulent")
        asked = await shop.pay("pm_card_authenticationRequired")
        events = [event.to_dict() for event in (await shop.client.v1.events.list_async()).data]
    async with run_sandbox(tmp_path) as second, open_shop(second.url) as shop:
        again = await shop.confirm(paid.id, key="k")
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert again.to_dict() == paid.to_dict()
        assert (await shop.intents.retrieve_async(held.id)).to_dict() == held.to_dict()
        assert (await shop.refunds.retrieve_async(refund.id)).to_dict() == refund.to_dict()
        assert (await shop.intents.retrieve_async(asked.id)).status == "requires_action"
        read = (await shop.client.v1.events.list_async()).data
        assert [event.id for event in read] == [event["id"] for event in events]
        assert (await shop.create()).id not in {paid.id, held.id, asked.id}


async def test_a_clock_put_forward_stays_forward(tmp_path: Path, run_sandbox: RunSandbox) -> None:
    async with run_sandbox(tmp_path) as first:
        await first.sandbox.advance(1000)
        then = first.sandbox.clock.now()
    async with run_sandbox(tmp_path) as second:
        assert second.sandbox.clock.now() >= then


async def test_what_was_answered_survives_kill_9_under_load(
    processes: Processes, open_shop: OpenShop, eventually: Eventually
) -> None:
    process, url = processes.listen()
    answered: list[Any] = []

    async def pay_on(shop: Shop) -> None:
        while True:
            intent = await shop.create()
            answered.append(await shop.confirm(intent.id))

    async with open_shop(url) as shop:
        tasks = [asyncio.create_task(pay_on(shop)) for _ in range(8)]
        await eventually(lambda: len(answered) >= 100)
        await processes.kill(process)
        await asyncio.gather(*tasks, return_exceptions=True)
    _, url = processes.listen()
    async with open_shop(url) as shop, aiohttp.ClientSession() as web:
        for intent in answered:
            assert (await shop.intents.retrieve_async(intent.id)).to_dict() == intent.to_dict()
        async with web.get(f"{url}/_sandbox/movements") as reply:
            moved = [one["intent"] for one in (await reply.json())["movements"]]
    assert len(moved) == len(set(moved)), "nobody was charged twice"
    assert {intent.id for intent in answered} <= set(moved)


@pytest.mark.parametrize("torn", [b'{"at":1800000000,"action":"Cre', b'{"at":18\x00\x00\n'])
async def test_a_torn_last_line_is_cut_off_and_what_follows_is_whole(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop, torn: bytes
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        paid = await shop.pay()
    ledger = tmp_path / "ledger.jsonl"
    with ledger.open("ab") as file:
        file.write(torn)
    for _ in range(2):
        async with run_sandbox(tmp_path) as again, open_shop(again.url) as shop:
            assert (await shop.intents.retrieve_async(paid.id)).status == "succeeded"
            await shop.pay()
    assert all(json.loads(line) for line in ledger.read_text().splitlines())


async def test_a_line_that_is_whole_but_for_its_newline_was_never_answered(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        await shop.create()
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-1])
    async with run_sandbox(tmp_path) as again, open_shop(again.url) as shop:
        assert (await shop.intents.list_async()).data == []
        await shop.create()
    assert all(json.loads(line) for line in ledger.read_text().splitlines())


async def test_a_damaged_ledger_is_refused_with_its_line(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        await shop.pay()
    ledger = tmp_path / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:2], b"###\n", *lines[2:]]))
    with pytest.raises(LedgerRefused, match="line 3"):
        Sandbox(tmp_path, Rules())


async def test_a_ledger_whose_money_comes_out_otherwise_is_refused(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        await shop.pay()
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"captured"', '"authorized"'))
    with pytest.raises(LedgerRefused, match="Line 4"):
        Sandbox(tmp_path, Rules())


class TestTheProcess:
    def test_sigterm_ends_it_cleanly(self, processes: Processes) -> None:
        process, _ = processes.listen()
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")

    def test_a_taken_port_is_one_sentence_and_exit_code_2(
        self, processes: Processes, tmp_path: Path
    ) -> None:
        _, url = processes.listen()
        processes.directory = tmp_path / "other"
        second = processes.start(port=int(url.rsplit(":", 1)[1]))
        _, complaint = second.communicate(timeout=60)
        assert second.returncode == 2
        assert complaint.count("\n") == 1
        assert url.removeprefix("http://") in complaint

    def test_a_directory_in_use_is_one_sentence_and_exit_code_2(self, processes: Processes) -> None:
        processes.listen()
        second = processes.start()
        _, complaint = second.communicate(timeout=60)
        assert second.returncode == 2
        assert complaint.count("\n") == 1
        assert "in use" in complaint

    def test_a_directory_that_cannot_be_made_is_one_sentence_and_exit_code_2(
        self, processes: Processes
    ) -> None:
        (processes.directory / "file").write_text("")
        processes.directory = processes.directory / "file" / "data"
        process = processes.start()
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 2
        assert complaint.count("\n") == 1

    async def test_the_life_of_keys_is_a_setting(
        self, processes: Processes, open_shop: OpenShop
    ) -> None:
        _, url = processes.listen("--key-life", "0")
        async with open_shop(url) as shop:
            assert (await shop.create(key="k")).id != (await shop.create(key="k")).id

    async def test_faults_may_be_planned_at_the_start(
        self, processes: Processes, open_shop: OpenShop
    ) -> None:
        _, url = processes.listen("--fault", '{"kind": "refuse", "status": 503}')
        async with open_shop(url) as shop:
            with pytest.raises(stripe.APIError):
                await shop.create()
            assert (await shop.create()).status == "requires_confirmation"

    def test_a_fault_that_makes_no_sense_is_said(self, processes: Processes) -> None:
        process = processes.start("--fault", '{"kind": "nothing"}')
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "--fault" in complaint

    def test_an_option_that_is_missing_is_said(self, processes: Processes) -> None:
        process = processes.start("--webhook-url", "http://127.0.0.1:1/")
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "--webhook-secret-file" in complaint


def test_the_output_of_a_listening_process_is_one_line(processes: Processes) -> None:
    process, _ = processes.listen()
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert rest == ""
    assert isinstance(process, subprocess.Popen)
