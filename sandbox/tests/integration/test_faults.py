"""Planned faults: each looks to the library as the real one does, and leaves what it should."""

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp.test_utils import make_mocked_request

from sandbox.control import Control
from sandbox.faults import Fault, Faults, Kind

from .conftest import Eventually, Running, Shop


async def status_of(shop: Shop, intent: Any) -> Any:
    return (await shop.intents.retrieve_async(intent.id)).status


async def test_a_lost_reply_is_a_broken_connection_and_the_money_has_moved(
    shop: Shop, server: Running
) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.LOSE_REPLY, "POST .*/confirm"))
    with pytest.raises(stripe.APIConnectionError):
        await shop.confirm(intent.id, key="k")
    assert await status_of(shop, intent) == "succeeded"
    again = await shop.confirm(intent.id, key="k")
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(server.sandbox.world.movements) == 1


async def test_a_dropped_request_was_never_there(shop: Shop, server: Running) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.DROP, "POST .*/confirm"))
    with pytest.raises(stripe.APIConnectionError):
        await shop.confirm(intent.id, key="k")
    assert await status_of(shop, intent) == "requires_confirmation"
    paid = await shop.confirm(intent.id, key="k")
    assert "Idempotent-Replayed" not in paid.last_response.headers


@pytest.mark.parametrize(
    ("kind", "after"), [(Kind.FAIL_AFTER, "succeeded"), (Kind.FAIL_BEFORE, "requires_confirmation")]
)
async def test_a_500_is_kept_under_its_key_with_or_without_the_effect(
    shop: Shop, server: Running, kind: Kind, after: str
) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(kind, "POST .*/confirm"))
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            await shop.confirm(intent.id, key="k")
        assert caught.value.http_status == 500
    assert await status_of(shop, intent) == after


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, stripe.APIError), (429, stripe.RateLimitError), (503, stripe.APIError)],
)
async def test_a_refusal_before_the_effect_keeps_nothing(
    shop: Shop, server: Running, status: int, kind: type[stripe.StripeError]
) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.REFUSE, "POST .*/confirm", times=2, status=status))
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await shop.confirm(intent.id, key="k")
        assert caught.value.http_status == status
    assert (await shop.confirm(intent.id, key="k")).status == "succeeded"


async def test_a_body_that_breaks_is_no_stripe_error_at_all(shop: Shop, server: Running) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.BREAK_BODY, "POST .*/confirm"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await shop.confirm(intent.id, key="k")
    assert await status_of(shop, intent) == "succeeded"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Whatever is slow waits for this to be opened, instead of for its seconds."""
    opened = asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:
            await opened.wait()

    monkeypatch.setattr("sandbox.api._pause", pause)
    return opened


async def test_a_key_that_is_under_way_is_a_409_and_is_not_spoilt_by_it(
    shop: Shop, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.SLOW, "POST .*/confirm", seconds=1))
    first = asyncio.create_task(shop.confirm(intent.id, key="k"))
    await eventually(lambda: not server.faults.planned())
    with pytest.raises(stripe.APIError) as caught:
        await shop.confirm(intent.id, key="k")
    assert caught.value.http_status == 409
    gate.set()
    assert (await first).status == "succeeded"
    assert (await shop.confirm(intent.id, key="k")).status == "succeeded"


async def test_slow_acts_late_and_slow_reply_acts_at_once(
    shop: Shop, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    late, early = await shop.create(), await shop.create()
    server.faults.plan(Fault(Kind.SLOW, f"{late.id}/confirm", seconds=1))
    server.faults.plan(Fault(Kind.SLOW_REPLY, f"{early.id}/confirm", seconds=1))
    calls = [asyncio.create_task(shop.confirm(one.id)) for one in (late, early)]
    await eventually(lambda: server.sandbox.world.movements and not server.faults.planned())
    assert await status_of(shop, late) == "requires_confirmation"
    assert await status_of(shop, early) == "succeeded"
    assert not any(call.done() for call in calls)
    gate.set()
    assert [paid.status for paid in await asyncio.gather(*calls)] == ["succeeded"] * 2


async def test_an_effect_comes_although_its_caller_has_gone(
    shop: Shop, server: Running, gate: asyncio.Event, eventually: Eventually
) -> None:
    intent = await shop.create()
    server.faults.plan(Fault(Kind.SLOW, "POST .*/confirm", seconds=1))
    call = asyncio.create_task(shop.confirm(intent.id))
    await eventually(lambda: not server.faults.planned())
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    gate.set()
    await eventually(lambda: server.sandbox.world.movements)
    assert await status_of(shop, intent) == "succeeded"


def test_chance_comes_from_a_seed() -> None:
    def fired(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.plan(Fault(Kind.DROP, times=None, probability=0.5))
        return [faults.next_for("POST /v1/refunds") is not None for _ in range(64)]

    assert fired(1) == fired(1)
    assert fired(1) != fired(2)
    assert 16 < sum(fired(1)) < 48


def test_a_fault_fires_as_often_as_planned_and_only_where_it_matches() -> None:
    faults = Faults()
    faults.plan(Fault(Kind.DROP, "/refunds", times=2))
    assert faults.next_for("POST /v1/payment_intents") is None
    hits = [faults.next_for("POST /v1/refunds") for _ in range(3)]
    assert [hit is not None for hit in hits] == [True, True, False]


class TestControl:
    async def test_faults_are_planned_seen_and_forgotten(
        self, shop: Shop, web: aiohttp.ClientSession
    ) -> None:
        plan = {"kind": "refuse", "match": "POST .*/confirm", "status": 429, "times": None}
        async with web.post("/_sandbox/faults", json=plan) as reply:
            assert (await reply.json())["faults"][0]["kind"] == "refuse"
        intent = await shop.create()
        with pytest.raises(stripe.RateLimitError):
            await shop.confirm(intent.id)
        async with web.delete("/_sandbox/faults") as reply:
            assert (await reply.json()) == {"faults": []}
        assert (await shop.confirm(intent.id)).status == "succeeded"

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
    async def test_a_plan_that_makes_no_sense_is_refused_with_a_sentence(
        self, web: aiohttp.ClientSession, plan: object
    ) -> None:
        async with web.post("/_sandbox/faults", json=plan) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]

    async def test_movements_tell_where_the_money_is(
        self, shop: Shop, web: aiohttp.ClientSession
    ) -> None:
        held = await shop.pay(capture_method="manual", metadata={"uuid": "u"})
        await shop.intents.capture_async(held.id, {"amount_to_capture": 1000})
        await shop.refund(held.id, amount=1)
        async with web.get("/_sandbox/movements") as reply:
            told = await reply.json()
        kinds = [(one["kind"], one["amount"]) for one in told["movements"]]
        assert kinds == [
            ("authorized", 1099),
            ("captured", 1000),
            ("released", 99),
            ("refunded", 1),
        ]
        assert told["movements"][0]["metadata"] == {"uuid": "u"}
        async with web.get("/_sandbox/movements", params={"after": "3"}) as reply:
            assert [one["kind"] for one in (await reply.json())["movements"]] == ["refunded"]

    async def test_the_clock_can_be_put_forward_over_the_end_of_a_hold(
        self, shop: Shop, web: aiohttp.ClientSession
    ) -> None:
        held = await shop.pay(capture_method="manual")
        async with web.post("/_sandbox/clock", json={"advance": 7 * 24 * 3600}) as reply:
            assert reply.status == 200
        ended = await shop.intents.retrieve_async(held.id)
        assert (ended.status, ended.cancellation_reason) == ("canceled", "automatic")

    async def test_the_clock_never_goes_back(self, web: aiohttp.ClientSession) -> None:
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
    async def test_only_this_machine_may_control_unless_open(
        self, server: Running, remote: str, is_open: bool, status: int
    ) -> None:
        control = Control(server.sandbox, server.faults, is_open=is_open)
        handler = next(route.handler for route in control.routes() if route.path == "/_sandbox")
        reply = await handler(make_mocked_request("GET", "/_sandbox").clone(remote=remote))
        assert reply.status == status
