"""Planned faults: how the official library reports each, and what state it leaves; and the controls."""

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp.test_utils import make_mocked_request

from sandbox.control import Control
from sandbox.faults import Fault, Faults, Kind

from .conftest import Client, Eventually, Running


async def status_of(client: Client, intent: Any) -> Any:
    return (await client.intents.retrieve_async(intent.id)).status


async def test_lose_reply_performs_the_request_and_breaks_the_connection(
    client: Client, server: Running
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.LOSE_REPLY, "POST .*/confirm"))
    with pytest.raises(stripe.APIConnectionError):
        await client.confirm(intent.id, key="k")
    assert await status_of(client, intent) == "succeeded"
    again = await client.confirm(intent.id, key="k")
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(server.sandbox.world.movements) == 1


async def test_drop_breaks_the_connection_and_performs_nothing(
    client: Client, server: Running
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.DROP, "POST .*/confirm"))
    with pytest.raises(stripe.APIConnectionError):
        await client.confirm(intent.id, key="k")
    assert await status_of(client, intent) == "requires_confirmation"
    paid = await client.confirm(intent.id, key="k")
    assert "Idempotent-Replayed" not in paid.last_response.headers


@pytest.mark.parametrize(
    ("kind", "after"), [(Kind.FAIL_AFTER, "succeeded"), (Kind.FAIL_BEFORE, "requires_confirmation")]
)
async def test_a_500_is_stored_under_its_key_whether_it_took_effect_or_not(
    client: Client, server: Running, kind: Kind, after: str
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(kind, "POST .*/confirm"))
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            await client.confirm(intent.id, key="k")
        assert caught.value.http_status == 500
    assert await status_of(client, intent) == after


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, stripe.APIError), (429, stripe.RateLimitError), (503, stripe.APIError)],
)
async def test_refuse_performs_nothing_and_stores_nothing_under_the_key(
    client: Client, server: Running, status: int, kind: type[stripe.StripeError]
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.REFUSE, "POST .*/confirm", times=2, status=status))
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await client.confirm(intent.id, key="k")
        assert caught.value.http_status == status
    assert (await client.confirm(intent.id, key="k")).status == "succeeded"


async def test_break_body_is_a_client_error_of_aiohttp_after_the_effect(
    client: Client, server: Running
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.BREAK_BODY, "POST .*/confirm"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.confirm(intent.id, key="k")
    assert await status_of(client, intent) == "succeeded"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Slow requests wait for this event instead of for their seconds."""
    opened = asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:
            await opened.wait()

    monkeypatch.setattr("sandbox.api._pause", pause)
    return opened


async def test_a_key_in_progress_is_a_409_that_is_not_stored(
    client: Client, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.SLOW, "POST .*/confirm", seconds=1))
    first = asyncio.create_task(client.confirm(intent.id, key="k"))
    await eventually(lambda: not server.faults.planned())
    with pytest.raises(stripe.APIError) as caught:
        await client.confirm(intent.id, key="k")
    assert caught.value.http_status == 409
    gate.set()
    assert (await first).status == "succeeded"
    assert (await client.confirm(intent.id, key="k")).status == "succeeded"


async def test_slow_delays_the_effect_and_slow_reply_only_the_reply(
    client: Client, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    late, early = await client.create(), await client.create()
    server.faults.plan(Fault(Kind.SLOW, f"{late.id}/confirm", seconds=1))
    server.faults.plan(Fault(Kind.SLOW_REPLY, f"{early.id}/confirm", seconds=1))
    calls = [asyncio.create_task(client.confirm(intent.id)) for intent in (late, early)]
    await eventually(lambda: server.sandbox.world.movements and not server.faults.planned())
    assert await status_of(client, late) == "requires_confirmation"
    assert await status_of(client, early) == "succeeded"
    assert not any(call.done() for call in calls)
    gate.set()
    assert [paid.status for paid in await asyncio.gather(*calls)] == ["succeeded"] * 2


async def test_a_request_takes_effect_although_its_caller_disconnected(
    client: Client, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    intent = await client.create()
    server.faults.plan(Fault(Kind.SLOW, "POST .*/confirm", seconds=1))
    call = asyncio.create_task(client.confirm(intent.id))
    await eventually(lambda: not server.faults.planned())
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    gate.set()
    await eventually(lambda: server.sandbox.world.movements)
    assert await status_of(client, intent) == "succeeded"


def test_random_faults_depend_on_the_seed_only() -> None:
    def fired(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.plan(Fault(Kind.DROP, times=None, probability=0.5))
        return [faults.next_for("POST /v1/refunds") is not None for _ in range(64)]

    assert fired(1) == fired(1)
    assert fired(1) != fired(2)
    assert 16 < sum(fired(1)) < 48


def test_a_fault_fires_as_often_as_planned_and_on_matching_requests_only() -> None:
    faults = Faults()
    faults.plan(Fault(Kind.DROP, "/refunds", times=2))
    assert faults.next_for("POST /v1/payment_intents") is None
    hits = [faults.next_for("POST /v1/refunds") for _ in range(3)]
    assert [hit is not None for hit in hits] == [True, True, False]


class TestControl:
    async def test_faults_are_planned_listed_and_cleared(
        self, client: Client, web: aiohttp.ClientSession
    ) -> None:
        plan = {"kind": "refuse", "match": "POST .*/confirm", "status": 429, "times": None}
        async with web.post("/_sandbox/faults", json=plan) as reply:
            assert (await reply.json())["faults"][0]["kind"] == "refuse"
        intent = await client.create()
        with pytest.raises(stripe.RateLimitError):
            await client.confirm(intent.id)
        async with web.delete("/_sandbox/faults") as reply:
            assert (await reply.json()) == {"faults": []}
        assert (await client.confirm(intent.id)).status == "succeeded"

    @pytest.mark.parametrize(
        "plan",
        [
            {"kind": "nothing"},
            {"kind": "drop", "match": "("},
            {"kind": "drop", "times": 0},
            {"kind": "drop", "times": "2"},
            {"kind": "refuse", "status": 200},
            {"colour": 1},
            [],
            "drop",
        ],
    )
    async def test_an_invalid_fault_is_a_400_with_a_sentence(
        self, web: aiohttp.ClientSession, plan: object
    ) -> None:
        async with web.post("/_sandbox/faults", json=plan) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]

    async def test_movements_list_every_movement_of_money(
        self, client: Client, web: aiohttp.ClientSession
    ) -> None:
        held = await client.pay(capture_method="manual", metadata={"uuid": "u"})
        await client.intents.capture_async(held.id, {"amount_to_capture": 1000})
        await client.refund(held.id, amount=1)
        async with web.get("/_sandbox/movements") as reply:
            movements = (await reply.json())["movements"]
        kinds = [(movement["kind"], movement["amount"]) for movement in movements]
        assert kinds == [
            ("authorized", 1099),
            ("captured", 1000),
            ("released", 99),
            ("refunded", 1),
        ]
        assert movements[0]["metadata"] == {"uuid": "u"}
        async with web.get("/_sandbox/movements", params={"after": "3"}) as reply:
            (last,) = (await reply.json())["movements"]
        assert last["kind"] == "refunded"

    async def test_advancing_the_clock_expires_an_authorization(
        self, client: Client, web: aiohttp.ClientSession
    ) -> None:
        held = await client.pay(capture_method="manual")
        async with web.post("/_sandbox/clock", json={"advance": 7 * 24 * 3600}) as reply:
            assert reply.status == 200
        ended = await client.intents.retrieve_async(held.id)
        assert (ended.status, ended.cancellation_reason) == ("canceled", "automatic")

    async def test_the_clock_cannot_be_set_back(self, web: aiohttp.ClientSession) -> None:
        async with web.post("/_sandbox/clock", json={"advance": -1}) as reply:
            assert reply.status == 400

    @pytest.mark.parametrize(
        ("remote", "is_open", "status"),
        [
            ("192.0.2.1", False, 403),
            ("::1", False, 200),
            ("127.0.0.1", False, 200),
            ("192.0.2.1", True, 200),
        ],
    )
    async def test_the_controls_answer_the_loopback_only_unless_open(
        self, server: Running, remote: str, is_open: bool, status: int
    ) -> None:
        control = Control(server.sandbox, server.faults, is_open=is_open)
        handler = next(route.handler for route in control.routes() if route.path == "/_sandbox")
        reply = await handler(make_mocked_request("GET", "/_sandbox").clone(remote=remote))
        assert reply.status == status
