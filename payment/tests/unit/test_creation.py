"""Creation: how an attempt becomes a payment, or does not."""

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
INSERT_BY = ATTEMPT.insert_by
OTHER_ID = UUID(int=9)


def test_a_new_payment_is_bound_to_its_unconfirmed_intent() -> None:
    payment = build_payment(ATTEMPT, UNCONFIRMED, INSTALLATION)
    assert payment == a_payment()


def test_an_attempt_may_be_inserted_within_a_minute_of_its_look_up() -> None:
    assert NOW + timedelta(seconds=60) == INSERT_BY


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
def test_an_intent_other_than_was_asked_for_makes_no_payment(intent: Reply) -> None:
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
def test_a_reply_without_an_intent_makes_no_payment(
    reply: Reply, error: type[PaymentError]
) -> None:
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
def test_every_field_of_the_request_changes_its_fingerprint(other: PaymentRequest) -> None:
    assert other.fingerprint != REQUEST.fingerprint


def test_an_insert_that_conflicts_with_its_own_row_was_committed_before() -> None:
    own = a_payment()
    result = resolve_conflict(own, Conflicts(NOW, same_request=own), INSERT_BY, ambiguous=True)
    assert result == OwnRow(own)


def test_a_repeated_request_finds_its_payment_although_its_own_reference_is_taken() -> None:
    other = a_payment(id=OTHER_ID)
    conflicts = Conflicts(NOW, same_request=other, same_reference=other)
    assert resolve_conflict(a_payment(), conflicts, INSERT_BY, ambiguous=False) == DuplicateRequest(
        other
    )


@pytest.mark.parametrize(
    ("conflicts", "error"),
    [
        (
            Conflicts(NOW, same_request=a_payment(id=OTHER_ID, fingerprint=b"other")),
            RequestIdReused,
        ),
        (Conflicts(NOW, same_id=a_payment()), InvariantViolation),
        (Conflicts(NOW, same_reference=a_payment(id=OTHER_ID)), ReferenceTaken),
        (Conflicts(INSERT_BY), TryAgain),
    ],
)
def test_an_attempt_that_conflicts_fails_with_the_reason(
    conflicts: Conflicts, error: type[PaymentError]
) -> None:
    result = resolve_conflict(a_payment(), conflicts, INSERT_BY, ambiguous=False)
    assert isinstance(result, CreationFailed)
    assert isinstance(result.error, error)


def test_an_insert_that_conflicts_with_no_visible_row_is_tried_again() -> None:
    result = resolve_conflict(a_payment(), Conflicts(NOW), INSERT_BY, ambiguous=False)
    assert result == RetryInsert()


@pytest.mark.parametrize(
    "conflicts",
    [Conflicts(NOW), Conflicts(INSERT_BY), Conflicts(NOW, same_reference=a_payment(id=OTHER_ID))],
)
def test_after_an_insert_without_an_answer_only_a_row_with_the_request_id_proves_a_failure(
    conflicts: Conflicts,
) -> None:
    result = resolve_conflict(a_payment(), conflicts, INSERT_BY, ambiguous=True)
    assert isinstance(result, CreationFailed)
    assert isinstance(result.error, TryAgain)
    assert a_payment().id == PAYMENT_ID
