"""Every call of the adapter against every kind of reply: each becomes the right value, and none raises."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from support.examples import ATTEMPT, INSTALLATION, a_payment, a_refund
from support.hostile_replies import (
    INTENT,
    KEY_CONFLICT,
    NOT_FOUND,
    REFUND,
    REJECTION,
    REPLIES,
    SERVER_ERROR,
    UNKNOWN,
    UNREACHABLE,
    an_intent,
    error_reply,
)
from support.hostile_server import HostileServer, hostile_server, http
from support.processors import ANY_KEY

from chassis.settings import Secret
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    ProcessorRefund,
    Rejection,
    ServerError,
)
from payment.domain.machine import Operation, Post
from payment.domain.values import RequestPart
from payment.processors.stripe import adapter
from payment.processors.stripe.adapter import StripeProcessor

Call = Callable[[StripeProcessor], Awaitable[object]]
CONFIRM = Post(Operation.CONFIRM, 0)

CALLS: dict[str, Call] = {
    "create": lambda processor: processor.create(ATTEMPT),
    "retrieve": lambda processor: processor.retrieve("pi_1"),
    "confirm": lambda processor: processor.post(a_payment(), CONFIRM),
    "capture": lambda processor: processor.post(a_payment(), Post(Operation.CAPTURE, 0, 1000)),
    "cancel": lambda processor: processor.post(a_payment(), Post(Operation.CANCEL, 0)),
    "refund": lambda processor: processor.refund(a_refund()),
}


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with hostile_server() as server:
        yield server


@pytest.fixture
async def processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    async with StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION) as opened:
        yield opened


@pytest.fixture
async def impatient_processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    timeout = aiohttp.ClientTimeout(total=0.05)
    async with StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION, timeout) as opened:
        yield opened


def outcome_of(reply: object) -> str:
    match reply:
        case OutcomeUnknown(unreachable=True):
            return UNREACHABLE
        case OutcomeUnknown():
            return UNKNOWN
        case NotFound():
            return NOT_FOUND
        case ServerError():
            return SERVER_ERROR
        case IdempotencyKeyConflict():
            return KEY_CONFLICT
        case Rejection():
            return REJECTION
    return type(reply).__name__


@pytest.mark.parametrize("name", REPLIES)
async def test_every_call_turns_each_reply_into_its_value_and_posts_once(
    name: str, server: HostileServer, processor: StripeProcessor
) -> None:
    reply, expected = REPLIES[name]
    server.replies = [reply]

    outcomes = {each: outcome_of(await call(processor)) for each, call in CALLS.items()}

    assert outcomes == dict.fromkeys(CALLS, expected)
    posts = [sent.path for sent in server.sent if sent.method == "POST"]
    assert len(posts) == len(CALLS) - 1, "each POST is made once"


@pytest.mark.parametrize("name", REPLIES)
async def test_a_list_of_refunds_is_unknown_on_each_of_these_replies(
    name: str, server: HostileServer, processor: StripeProcessor
) -> None:
    reply, expected = REPLIES[name]
    server.replies = [reply]

    listed = await processor.refunds("pi_1")

    assert isinstance(listed, OutcomeUnknown)
    assert listed.unreachable is (expected is UNREACHABLE)


@pytest.mark.parametrize(
    "reply",
    [None, b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\nConnection: keep-alive\r\n\r\n{"],
    ids=["silence", "silence inside the body"],
)
async def test_every_call_that_times_out_has_an_unknown_outcome(
    reply: bytes | None, server: HostileServer, impatient_processor: StripeProcessor
) -> None:
    server.replies = [reply]

    outcomes = {name: outcome_of(await call(impatient_processor)) for name, call in CALLS.items()}

    assert outcomes == dict.fromkeys(CALLS, UNREACHABLE)
    assert outcome_of(await impatient_processor.refunds("pi_1")) == UNREACHABLE


async def test_a_404_of_stripe_refuses_a_creation_and_is_not_found_to_a_retrieval(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [error_reply(404, code="resource_missing", param="payment_method")]

    outcomes = {each: outcome_of(await call(processor)) for each, call in CALLS.items()}

    assert outcomes == dict.fromkeys(CALLS, UNKNOWN) | {
        "create": REJECTION,
        "retrieve": NOT_FOUND,
    }


async def test_an_intent_is_no_refund_and_a_refund_is_no_intent(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [http(200, json.dumps(INTENT)), http(200, json.dumps(REFUND))]

    assert outcome_of(await processor.refund(a_refund())) == UNKNOWN
    assert outcome_of(await processor.retrieve("pi_1")) == UNKNOWN


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ({"param": "payment_method", "code": "resource_missing"}, RequestPart.PAYMENT_METHOD),
        ({"param": "amount", "code": "amount_too_small"}, RequestPart.AMOUNT),
        ({"param": "currency"}, RequestPart.CURRENCY),
        ({"type": "card_error", "code": "card_declined"}, RequestPart.PAYMENT_METHOD),
        ({"param": "metadata", "code": "parameter_invalid_string"}, None),
        ({"code": "payment_intent_unexpected_state"}, None),
    ],
    ids=str,
)
async def test_a_refused_creation_has_the_part_of_the_request_where_it_is_the_callers(
    error: dict[str, str],
    part: RequestPart | None,
    server: HostileServer,
    processor: StripeProcessor,
) -> None:
    server.replies = [error_reply(400, **error)]

    reply = await processor.create(ATTEMPT)

    assert isinstance(reply, Rejection)
    assert reply.part is part


async def test_a_decline_is_evidence_of_the_intent_in_it(
    server: HostileServer, processor: StripeProcessor
) -> None:
    declined = {
        **INTENT,
        "status": "requires_payment_method",
        "amount_received": 0,
        "last_payment_error": {"code": "card_declined", "decline_code": "lost_card"},
    }
    server.replies = [error_reply(402, type="card_error", payment_intent=declined)]

    reply = await processor.post(a_payment(), CONFIRM)

    assert isinstance(reply, Intent)
    assert reply.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert reply.failure
    assert (reply.failure.code, reply.failure.decline_code) == ("card_declined", "lost_card")


async def test_a_decline_whose_intent_cannot_be_read_has_an_unknown_outcome(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [error_reply(402, type="card_error", payment_intent={"id": "pi_1"})]

    assert outcome_of(await processor.post(a_payment(), CONFIRM)) == UNKNOWN


async def test_a_text_is_kept_without_the_characters_that_a_database_cannot_store(
    server: HostileServer, processor: StripeProcessor
) -> None:
    reported = {"code": "card_declined\x00", "message": "No\ud800.\n" + "x" * 5000, "type": 7}
    server.replies = [an_intent(status="requires_payment_method", last_payment_error=reported)]

    reply = await processor.retrieve("pi_1")

    assert isinstance(reply, Intent)
    assert reply.failure
    assert reply.failure.code == "card_declined"
    assert reply.failure.message.startswith("No.xxx")
    assert len(reply.failure.message) <= 2000


async def test_an_intent_of_somebody_else_has_no_id_of_ours(
    server: HostileServer, processor: StripeProcessor
) -> None:
    for metadata in ({}, {"payment": "order 7"}, None):
        server.replies = [an_intent(metadata=metadata)]

        reply = await processor.retrieve("pi_1")

        assert isinstance(reply, Intent)
        assert (reply.payment_id, reply.installation) == (None, "")


async def test_a_refund_that_waits_for_a_bank_account_is_pending(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [http(200, json.dumps({**REFUND, "status": "requires_action"}))]

    refunded = await processor.refund(a_refund())

    assert isinstance(refunded, ProcessorRefund)
    assert (refunded.status.value, refunded.refund_id) == ("pending", None)


async def test_a_failed_refund_has_its_reason(
    server: HostileServer, processor: StripeProcessor
) -> None:
    failed = {**REFUND, "status": "failed", "failure_reason": "expired_or_canceled_card"}
    server.replies = [http(200, json.dumps(failed))]

    refunded = await processor.refund(a_refund())

    assert isinstance(refunded, ProcessorRefund)
    assert refunded.failure
    assert refunded.failure.code == "expired_or_canceled_card"


def a_page(*refunds: dict[str, Any], has_more: bool) -> bytes:
    return http(200, json.dumps({"object": "list", "data": refunds, "has_more": has_more}))


@pytest.mark.parametrize(
    "second",
    [
        http(503),
        b"",
        a_page(has_more=True),
        a_page({"id": "re_2"}, has_more=False),
        error_reply(400),
    ],
    ids=["503", "closed", "empty and not the last", "unreadable", "refused"],
)
async def test_a_list_with_one_bad_page_is_unknown(
    second: bytes, server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [a_page(REFUND, has_more=True), second]

    assert isinstance(await processor.refunds("pi_1"), OutcomeUnknown)


async def test_the_next_page_of_a_list_begins_after_the_last_item(
    server: HostileServer, processor: StripeProcessor
) -> None:
    other = {**REFUND, "id": "re_2"}
    server.replies = [a_page(REFUND, has_more=True), a_page(other, has_more=False)]

    listed = await processor.refunds("pi_1")

    assert not isinstance(listed, OutcomeUnknown)
    assert [refund.id for refund in listed] == ["re_1", "re_2"]
    assert [sent.query.get("starting_after") for sent in server.sent] == [None, "re_1"]


async def test_a_list_of_too_many_pages_is_unknown(
    server: HostileServer, processor: StripeProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_PAGES", 3)
    server.replies = [a_page(REFUND, has_more=True)]

    assert isinstance(await processor.refunds("pi_1"), OutcomeUnknown)
    assert len(server.sent) == 3


async def test_every_call_to_an_address_without_a_listener_has_an_unknown_outcome() -> None:
    with socket.socket() as bound:  # bound, and never listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with StripeProcessor(Secret(ANY_KEY), address, INSTALLATION) as processor:
            outcomes = {each: outcome_of(await call(processor)) for each, call in CALLS.items()}
            listed = await processor.refunds("pi_1")

    assert outcomes == dict.fromkeys(CALLS, UNREACHABLE)
    assert listed == OutcomeUnknown("no reply (ClientConnectorError)", unreachable=True)


async def test_a_call_without_a_free_connection_has_an_unknown_outcome_and_is_not_sent(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_CONNECTIONS", 1)
    server.replies = [None]
    timeout = aiohttp.ClientTimeout(total=20, connect=0.1)
    async with (
        StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION, timeout) as processor,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(processor.retrieve("pi_1"))
        await server.waiting.wait()

        assert outcome_of(await processor.post(a_payment(), CONFIRM)) == UNREACHABLE
        assert len(server.sent) == 1
        first.cancel()


async def test_a_post_on_a_kept_connection_that_breaks_is_not_sent_again(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [http(200, json.dumps(INTENT), closes=False), b""]
    assert isinstance(await processor.retrieve("pi_1"), Intent)

    reply = await processor.post(a_payment(), CONFIRM)

    assert outcome_of(reply) == UNREACHABLE
    assert [sent.method for sent in server.sent] == ["GET", "POST"]


async def test_an_intent_of_another_payment_is_reported_as_it_is(
    server: HostileServer, processor: StripeProcessor
) -> None:
    """The domain compares it with what was asked."""
    server.replies = [an_intent(id="pi_2")]

    reply = await processor.post(replace(a_payment(), intent_id="pi_1"), CONFIRM)

    assert isinstance(reply, Intent)
    assert reply.id == "pi_2"
