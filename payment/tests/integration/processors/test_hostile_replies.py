"""Whatever comes back from Stripe's address, the adapter makes the right value of it, and raises
nothing: each of its calls against each kind of answer.
"""

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
    ANSWERS,
    AWAY,
    FAULTED,
    INTENT,
    MISUSED,
    NOT_FOUND,
    REFUND,
    REFUSED,
    UNKNOWN,
    an_error,
    an_intent,
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
    async with hostile_server() as here:
        yield here


@pytest.fixture
async def processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    async with StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION) as one:
        yield one


@pytest.fixture
async def hasty_processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    timeout = aiohttp.ClientTimeout(total=0.2)
    async with StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION, timeout) as one:
        yield one


def kind_of(reply: object) -> str:
    match reply:
        case OutcomeUnknown(unreachable=True):
            return AWAY
        case OutcomeUnknown():
            return UNKNOWN
        case NotFound():
            return NOT_FOUND
        case ServerError():
            return FAULTED
        case IdempotencyKeyConflict():
            return MISUSED
        case Rejection():
            return REFUSED
    return type(reply).__name__


@pytest.mark.parametrize("answer", ANSWERS)
async def test_each_call_makes_the_right_value_of(
    answer: str, server: HostileServer, processor: StripeProcessor
) -> None:
    given, expected = ANSWERS[answer]
    server.answers = [given]

    kinds = {name: kind_of(await call(processor)) for name, call in CALLS.items()}

    assert kinds == dict.fromkeys(CALLS, expected)
    posts = [sent.path for sent in server.sent if sent.method == "POST"]
    assert len(posts) == len(CALLS) - 1, "each POST is made once"


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_list_of_refunds_is_whole_or_unknown(
    answer: str, server: HostileServer, processor: StripeProcessor
) -> None:
    given, expected = ANSWERS[answer]
    server.answers = [given]

    listed = await processor.refunds("pi_1")

    assert isinstance(listed, OutcomeUnknown)
    assert listed.unreachable is (expected is AWAY)


@pytest.mark.parametrize(
    "answer",
    [None, b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\nConnection: keep-alive\r\n\r\n{"],
    ids=["silence", "silence inside the body"],
)
async def test_beyond_the_time_out_every_call_is_unknown(
    answer: bytes | None, server: HostileServer, hasty_processor: StripeProcessor
) -> None:
    server.answers = [answer]

    kinds = {name: kind_of(await call(hasty_processor)) for name, call in CALLS.items()}

    assert kinds == dict.fromkeys(CALLS, AWAY)
    assert kind_of(await hasty_processor.refunds("pi_1")) == AWAY


async def test_a_404_of_stripes_is_a_refusal_of_a_creation_and_not_found_to_a_retrieval(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [an_error(404, code="resource_missing", param="payment_method")]

    kinds = {name: kind_of(await call(processor)) for name, call in CALLS.items()}

    assert kinds == dict.fromkeys(CALLS, UNKNOWN) | {
        "create": REFUSED,
        "retrieve": NOT_FOUND,
    }


async def test_an_intent_is_no_refund_and_a_refund_is_no_intent(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [http(200, json.dumps(INTENT)), http(200, json.dumps(REFUND))]

    assert kind_of(await processor.refund(a_refund())) == UNKNOWN
    assert kind_of(await processor.retrieve("pi_1")) == UNKNOWN


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
async def test_a_refused_creation_names_the_part_where_it_is_the_callers(
    error: dict[str, str],
    part: RequestPart | None,
    server: HostileServer,
    processor: StripeProcessor,
) -> None:
    server.answers = [an_error(400, **error)]

    reply = await processor.create(ATTEMPT)

    assert isinstance(reply, Rejection)
    assert reply.part is part


async def test_a_decline_is_evidence_of_the_intent_that_it_carries(
    server: HostileServer, processor: StripeProcessor
) -> None:
    declined = {
        **INTENT,
        "status": "requires_payment_method",
        "amount_received": 0,
        "last_payment_error": {"code": "card_declined", "decline_code": "lost_card"},
    }
    server.answers = [an_error(402, type="card_error", payment_intent=declined)]

    reply = await processor.post(a_payment(), CONFIRM)

    assert isinstance(reply, Intent)
    assert reply.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert reply.failure
    assert (reply.failure.code, reply.failure.decline_code) == ("card_declined", "lost_card")


async def test_a_decline_whose_intent_cannot_be_read_is_unknown(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [an_error(402, type="card_error", payment_intent={"id": "pi_1"})]

    assert kind_of(await processor.post(a_payment(), CONFIRM)) == UNKNOWN


async def test_what_a_database_cannot_keep_is_left_out_of_words(
    server: HostileServer, processor: StripeProcessor
) -> None:
    said = {"code": "card_declined\x00", "message": "No\ud800.\n" + "x" * 5000, "type": 7}
    server.answers = [an_intent(status="requires_payment_method", last_payment_error=said)]

    reply = await processor.retrieve("pi_1")

    assert isinstance(reply, Intent)
    assert reply.failure
    assert reply.failure.code == "card_declined"
    assert reply.failure.message.startswith("No.xxx")
    assert len(reply.failure.message) <= 2000


async def test_an_intent_of_somebody_else_carries_no_id_of_ours(
    server: HostileServer, processor: StripeProcessor
) -> None:
    for metadata in ({}, {"payment": "order 7"}, None):
        server.answers = [an_intent(metadata=metadata)]

        reply = await processor.retrieve("pi_1")

        assert isinstance(reply, Intent)
        assert (reply.payment_id, reply.installation) == (None, "")


async def test_a_refund_that_waits_for_a_bank_account_is_pending(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [http(200, json.dumps({**REFUND, "status": "requires_action"}))]

    word = await processor.refund(a_refund())

    assert isinstance(word, ProcessorRefund)
    assert (word.status.value, word.refund_id) == ("pending", None)


async def test_a_failed_refund_says_why(server: HostileServer, processor: StripeProcessor) -> None:
    failed = {**REFUND, "status": "failed", "failure_reason": "expired_or_canceled_card"}
    server.answers = [http(200, json.dumps(failed))]

    word = await processor.refund(a_refund())

    assert isinstance(word, ProcessorRefund)
    assert word.failure
    assert word.failure.code == "expired_or_canceled_card"


def a_page(*refunds: dict[str, Any], has_more: bool) -> bytes:
    return http(200, json.dumps({"object": "list", "data": refunds, "has_more": has_more}))


@pytest.mark.parametrize(
    "second",
    [http(503), b"", a_page(has_more=True), a_page({"id": "re_2"}, has_more=False), an_error(400)],
    ids=["503", "closed", "empty and not the last", "unreadable", "refused"],
)
async def test_a_list_that_breaks_off_is_unknown_as_a_whole(
    second: bytes, server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [a_page(REFUND, has_more=True), second]

    assert isinstance(await processor.refunds("pi_1"), OutcomeUnknown)


async def test_a_list_goes_on_after_the_last_of_a_page(
    server: HostileServer, processor: StripeProcessor
) -> None:
    other = {**REFUND, "id": "re_2"}
    server.answers = [a_page(REFUND, has_more=True), a_page(other, has_more=False)]

    listed = await processor.refunds("pi_1")

    assert not isinstance(listed, OutcomeUnknown)
    assert [refund.id for refund in listed] == ["re_1", "re_2"]
    assert [sent.query.get("starting_after") for sent in server.sent] == [None, "re_1"]


async def test_a_list_without_an_end_is_given_up(
    server: HostileServer, processor: StripeProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_PAGES", 3)
    server.answers = [a_page(REFUND, has_more=True)]

    assert isinstance(await processor.refunds("pi_1"), OutcomeUnknown)
    assert len(server.sent) == 3


async def test_where_nobody_listens_every_call_is_unknown() -> None:
    with socket.socket() as bound:  # bound, and never listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with StripeProcessor(Secret(ANY_KEY), address, INSTALLATION) as processor:
            kinds = {name: kind_of(await call(processor)) for name, call in CALLS.items()}
            listed = await processor.refunds("pi_1")

    assert kinds == dict.fromkeys(CALLS, AWAY)
    assert listed == OutcomeUnknown("no reply (ClientConnectorError)", unreachable=True)


async def test_above_the_most_connections_a_call_is_unknown_and_unsent(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_CONNECTIONS", 1)
    server.answers = [None]
    timeout = aiohttp.ClientTimeout(total=20, connect=0.1)
    async with (
        StripeProcessor(Secret(ANY_KEY), server.address, INSTALLATION, timeout) as processor,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(processor.retrieve("pi_1"))
        await server.waiting.wait()

        assert kind_of(await processor.post(a_payment(), CONFIRM)) == AWAY
        assert len(server.sent) == 1
        first.cancel()


async def test_a_kept_connection_that_breaks_does_not_make_a_post_twice(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [http(200, json.dumps(INTENT), closes=False), b""]
    assert isinstance(await processor.retrieve("pi_1"), Intent)

    reply = await processor.post(a_payment(), CONFIRM)

    assert kind_of(reply) == AWAY
    assert [sent.method for sent in server.sent] == ["GET", "POST"]


async def test_another_payments_intent_is_told_as_it_is(
    server: HostileServer, processor: StripeProcessor
) -> None:
    """The domain compares it with what was asked."""
    server.answers = [an_intent(id="pi_2")]

    reply = await processor.post(replace(a_payment(), intent_id="pi_1"), CONFIRM)

    assert isinstance(reply, Intent)
    assert reply.id == "pi_2"
