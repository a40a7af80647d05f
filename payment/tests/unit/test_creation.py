"""How an attempt becomes a payment, or does not."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from support.examples import (
    ATTEMPT,
    INSTALLATION,
    NOW,
    PAYMENT_ID,
    REQUEST,
    a_payment,
    an_intent,
)

from chassis.values import Metadata, Reference
from payment.domain.creation import (
    Conflicts,
    CreationFailed,
    DuplicateRequest,
    OwnRow,
    RetryInsert,
    build_payment,
    resolve_conflict,
)
from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    Rejection,
    Reply,
    ServerError,
)
from payment.domain.payment import CaptureMethod, PaymentRequest
from payment.domain.values import CustomerName, Money, PaymentMethod, RequestPart, ReturnUrl

UNCONFIRMED = an_intent(IntentStatus.REQUIRES_CONFIRMATION)
FENCE = ATTEMPT.insert_by
OTHER_ID = UUID(int=9)


def test_a_payment_is_born_bound_to_its_unconfirmed_intent() -> None:
    payment = build_payment(ATTEMPT, UNCONFIRMED, INSTALLATION)
    assert payment == a_payment()
    assert NOW + timedelta(seconds=60) == FENCE


@pytest.mark.parametrize(
    "intent",
    [
        replace(UNCONFIRMED, payment_id=OTHER_ID),
        replace(UNCONFIRMED, payment_id=None),
        replace(UNCONFIRMED, installation="another"),
        replace(UNCONFIRMED, amount=Money(1001, "EUR")),
        replace(UNCONFIRMED, status=IntentStatus.SUCCEEDED),
    ],
)
def test_an_intent_that_was_not_asked_for_is_not_bound(intent: Reply) -> None:
    with pytest.raises(InvariantViolation):
        build_payment(ATTEMPT, intent, INSTALLATION)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Rejection("resource_missing", RequestPart.PAYMENT_METHOD), RefusedByProcessor),
        (Rejection("parameter_unknown"), InvariantViolation),
        (IdempotencyKeyConflict(), InvariantViolation),
        (ServerError(), ProcessorUnavailable),
        (OutcomeUnknown("time-out"), ProcessorUnavailable),
        (NotFound(), ProcessorUnavailable),
    ],
)
def test_no_intent_no_payment(reply: Reply, error: type[PaymentError]) -> None:
    with pytest.raises(error):
        build_payment(ATTEMPT, reply, INSTALLATION)


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, customer=CustomerName(OTHER_ID)),
        replace(REQUEST, amount=Money(1001, "EUR")),
        replace(REQUEST, amount=Money(1000, "USD")),
        replace(REQUEST, payment_method=PaymentMethod("pm_card_mastercard")),
        replace(REQUEST, capture_method=CaptureMethod.MANUAL),
        replace(REQUEST, return_url=ReturnUrl("https://shop.example/back")),
        replace(REQUEST, description="two chairs"),
        replace(REQUEST, reference=None),
        replace(REQUEST, reference=Reference("order-2")),
        replace(REQUEST, metadata=Metadata.of({"a": "b"})),
    ],
)
def test_every_part_of_the_content_counts_for_the_fingerprint(other: PaymentRequest) -> None:
    assert other.fingerprint != REQUEST.fingerprint


def test_a_zero_row_insert_may_have_been_ones_own() -> None:
    own = a_payment()
    verdict = resolve_conflict(own, Conflicts(NOW, same_request=own), FENCE, ambiguous=True)
    assert verdict == OwnRow(own)


def test_the_exact_retry_finds_its_payment_even_where_its_own_reference_is_held() -> None:
    winner = a_payment(id=OTHER_ID)
    holders = Conflicts(NOW, same_request=winner, same_reference=winner)
    assert resolve_conflict(a_payment(), holders, FENCE, ambiguous=False) == DuplicateRequest(
        winner
    )


@pytest.mark.parametrize(
    ("holders", "error"),
    [
        (
            Conflicts(NOW, same_request=a_payment(id=OTHER_ID, fingerprint=b"other")),
            RequestIdReused,
        ),
        (Conflicts(NOW, same_id=a_payment()), InvariantViolation),
        (Conflicts(NOW, same_reference=a_payment(id=OTHER_ID)), ReferenceTaken),
        (Conflicts(FENCE), TryAgain),
    ],
)
def test_an_attempt_that_lost_is_told_why(holders: Conflicts, error: type[PaymentError]) -> None:
    verdict = resolve_conflict(a_payment(), holders, FENCE, ambiguous=False)
    assert isinstance(verdict, CreationFailed)
    assert isinstance(verdict.error, error)


def test_where_nothing_holds_anything_the_winner_was_not_yet_to_be_seen() -> None:
    verdict = resolve_conflict(a_payment(), Conflicts(NOW), FENCE, ambiguous=False)
    assert verdict == RetryInsert()


@pytest.mark.parametrize(
    "holders",
    [Conflicts(NOW), Conflicts(FENCE), Conflicts(NOW, same_reference=a_payment(id=OTHER_ID))],
)
def test_after_an_insert_without_an_answer_only_the_request_id_proves_a_loss(
    holders: Conflicts,
) -> None:
    verdict = resolve_conflict(a_payment(), holders, FENCE, ambiguous=True)
    assert isinstance(verdict, CreationFailed)
    assert isinstance(verdict.error, TryAgain)
    assert a_payment().id == PAYMENT_ID
