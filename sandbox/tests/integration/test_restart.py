"""Durability of the process: restarts, kill -9, damaged ledgers; and its command line."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.ledger import LedgerUnusable
from sandbox.sandbox import Sandbox
from sandbox.world import Rules

from .conftest import Client, Eventually, OpenClient, Processes, RunSandbox


async def test_objects_and_idempotency_keys_survive_a_restart(
    tmp_path: Path, run_sandbox: RunSandbox, open_client: OpenClient
) -> None:
    async with run_sandbox(tmp_path) as first, open_client(first.url) as client:
        paid = await client.confirm((await client.create(metadata={"uuid": "é"})).id, key="k")
        held = await client.pay(capture_method="manual")
        refund = await client.refund(paid.id, amount=5, reason="fraudulent")
        asked = await client.pay("pm_card_authenticationRequired")
        events = [event.to_dict() for event in (await client.library.v1.events.list_async()).data]
    async with run_sandbox(tmp_path) as second, open_client(second.url) as client:
        again = await client.confirm(paid.id, key="k")
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert again.to_dict() == paid.to_dict()
        assert (await client.intents.retrieve_async(held.id)).to_dict() == held.to_dict()
        assert (await client.refunds.retrieve_async(refund.id)).to_dict() == refund.to_dict()
        assert (await client.intents.retrieve_async(asked.id)).status == "requires_action"
        read = (await client.library.v1.events.list_async()).data
        assert [event.id for event in read] == [event["id"] for event in events]
        assert (await client.create()).id not in {paid.id, held.id, asked.id}


async def test_an_advanced_clock_stays_advanced_after_a_restart(
    tmp_path: Path, run_sandbox: RunSandbox
) -> None:
    async with run_sandbox(tmp_path) as first:
        await first.sandbox.advance(1000)
        then = first.sandbox.clock.now()
    async with run_sandbox(tmp_path) as second:
        assert second.sandbox.clock.now() >= then


async def test_answered_requests_survive_a_kill_9_under_load(
    processes: Processes, open_client: OpenClient, eventually: Eventually
) -> None:
    process, url = processes.listen()
    answered: list[Any] = []

    async def pay_repeatedly(client: Client) -> None:
        while True:
            intent = await client.create()
            answered.append(await client.confirm(intent.id))

    async with open_client(url) as client:
        tasks = [asyncio.create_task(pay_repeatedly(client)) for _ in range(8)]
        await eventually(lambda: len(answered) >= 100)
        await processes.kill(process)
        await asyncio.gather(*tasks, return_exceptions=True)
    _, url = processes.listen()
    async with open_client(url) as client, aiohttp.ClientSession() as web:
        for intent in answered:
            assert (await client.intents.retrieve_async(intent.id)).to_dict() == intent.to_dict()
        async with web.get(f"{url}/_sandbox/movements") as reply:
            charged = [movement["intent"] for movement in (await reply.json())["movements"]]
    assert len(charged) == len(set(charged)), "no intent is charged twice"
    assert {intent.id for intent in answered} <= set(charged)


@pytest.fixture
async def ledger(tmp_path: Path, run_sandbox: RunSandbox, open_client: OpenClient) -> Path:
    """The ledger of a stopped sandbox with one payment."""
    async with run_sandbox(tmp_path) as first, open_client(first.url) as client:
        await client.pay()
    return tmp_path / "ledger.jsonl"


@pytest.mark.parametrize("incomplete", [b'{"at":1800000000,"action":"Cre', b'{"at":18\x00\x00\n'])
async def test_an_incomplete_last_line_is_removed_and_later_lines_are_complete(
    ledger: Path, run_sandbox: RunSandbox, open_client: OpenClient, incomplete: bytes
) -> None:
    with ledger.open("ab") as file:
        file.write(incomplete)
    for payments in (1, 2):
        async with run_sandbox(ledger.parent) as again, open_client(again.url) as client:
            listed = (await client.intents.list_async()).data
            assert [intent.status for intent in listed] == ["succeeded"] * payments
            await client.pay()
    assert entries(ledger)


async def test_a_last_line_without_its_newline_is_removed(
    tmp_path: Path, run_sandbox: RunSandbox, open_client: OpenClient
) -> None:
    async with run_sandbox(tmp_path) as first, open_client(first.url) as client:
        await client.create()
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-1])
    async with run_sandbox(tmp_path) as again, open_client(again.url) as client:
        assert (await client.intents.list_async()).data == []
        await client.create()
    assert entries(ledger)


def test_a_damaged_ledger_is_rejected_with_the_lines_number(ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:2], b"###\n", *lines[2:]]))
    with pytest.raises(LedgerUnusable, match="line 3"):
        Sandbox(ledger.parent, Rules())


def test_a_ledger_whose_replay_moves_money_differently_is_rejected(ledger: Path) -> None:
    ledger.write_text(ledger.read_text().replace('"captured"', '"authorized"'))
    with pytest.raises(LedgerUnusable, match="Line 4"):
        Sandbox(ledger.parent, Rules())


def entries(ledger: Path) -> list[Any]:
    """The entries of a ledger; fails where a line is not JSON."""
    return [json.loads(line) for line in ledger.read_text().splitlines()]


class TestTheProcess:
    def test_sigterm_stops_it_with_exit_code_0(self, processes: Processes) -> None:
        process, _ = processes.listen()
        process.send_signal(signal.SIGTERM)
        assert processes.wait_for_exit(process) == (0, "")

    def test_a_port_in_use_is_one_sentence_and_exit_code_2(
        self, processes: Processes, tmp_path: Path
    ) -> None:
        _, url = processes.listen()
        processes.directory = tmp_path / "other"
        second = processes.start(port=int(url.rsplit(":", 1)[1]))
        code, error = processes.wait_for_exit(second)
        assert code == 2
        assert error.count("\n") == 1
        assert url.removeprefix("http://") in error

    def test_a_directory_in_use_is_one_sentence_and_exit_code_2(self, processes: Processes) -> None:
        processes.listen()
        second = processes.start()
        code, error = processes.wait_for_exit(second)
        assert code == 2
        assert error.count("\n") == 1
        assert "in use" in error

    def test_a_directory_that_cannot_be_created_is_one_sentence_and_exit_code_2(
        self, processes: Processes
    ) -> None:
        (processes.directory / "file").write_text("")
        processes.directory = processes.directory / "file" / "data"
        process = processes.start()
        code, error = processes.wait_for_exit(process)
        assert code == 2
        assert error.count("\n") == 1

    async def test_key_life_sets_when_keys_expire(
        self, processes: Processes, open_client: OpenClient
    ) -> None:
        _, url = processes.listen("--key-life", "0")
        async with open_client(url) as client:
            assert (await client.create(key="k")).id != (await client.create(key="k")).id

    async def test_an_option_plans_faults(
        self, processes: Processes, open_client: OpenClient
    ) -> None:
        _, url = processes.listen("--fault", '{"kind": "refuse", "status": 503}')
        async with open_client(url) as client:
            with pytest.raises(stripe.APIError):
                await client.create()
            assert (await client.create()).status == "requires_confirmation"

    def test_an_invalid_fault_is_an_error_of_its_option(self, processes: Processes) -> None:
        process = processes.start("--fault", '{"kind": "nothing"}')
        code, error = processes.wait_for_exit(process)
        assert code == 2
        assert "--fault" in error

    def test_a_webhook_url_requires_a_secret_file(self, processes: Processes) -> None:
        process = processes.start("--webhook-url", "http://127.0.0.1:1/")
        code, error = processes.wait_for_exit(process)
        assert code == 2
        assert "--webhook-secret-file" in error


def test_the_process_prints_one_line(processes: Processes) -> None:
    process, _ = processes.listen()
    process.terminate()
    processes.wait_for_exit(process)
    assert process.stdout
    assert process.stdout.read() == ""
