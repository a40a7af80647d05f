"""Protobuf to domain values, naming the field of every invalid one, and back."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from oncepay.payment.v1 import payment_pb2
from oncepay.payment.v1 import payment_service_pb2 as pb

from chassis.aip import field_masks, filters
from chassis.aip.messages import require, timestamp
from chassis.aip.pages import Position
from chassis.values import (
    InvalidValue,
    Metadata,
    Reference,
    RequestId,
    free_text,
    with_field_path,
)
from payment.domain.events import PaymentEvent
from payment.domain.payment import CaptureMethod, Payment, PaymentRequest, PublicState, State
from payment.domain.refund import Refund, RefundReason, RefundRequest
from payment.domain.values import (
    CustomerName,
    Failure,
    Money,
    PaymentMethod,
    PaymentName,
    RefundName,
    ReturnUrl,
)
from payment.service_layer.change_payment import PaymentChanges
from payment.service_layer.ports import PaymentQuery

Value = TypeVar("Value")

# ---------------------------------------------------------------- requests


def payment_request(request: pb.CreatePaymentRequest) -> PaymentRequest:
    """Reads a CreatePaymentRequest. Output-only fields are ignored."""
    require(request, "payment")
    with_field_path("payment", require, request.payment, "amount")
    fields = _read(request.payment, FIELD_READERS)
    return PaymentRequest(request_id=request_id(request.request_id), **fields)


def changes(request: pb.UpdatePaymentRequest) -> tuple[PaymentName, PaymentChanges]:
    """Reads which payment an UpdatePaymentRequest changes, and how."""
    require(request, "payment")
    message = request.payment
    name = payment_name(message.name, "payment.name")
    fields = field_masks.updated(message, request.update_mask, UPDATABLE)
    clears_reference = "reference" in fields and not message.reference
    return name, PaymentChanges(**_read(message, sorted(fields)), clears_reference=clears_reference)


def refund_request(request: pb.CreateRefundRequest) -> RefundRequest:
    """Reads a CreateRefundRequest. Output-only fields are ignored."""
    require(request, "refund")
    return RefundRequest(
        request_id=request_id(request.request_id),
        payment=payment_name(request.parent, "parent"),
        amount=_optional_money(request.refund, "refund.amount"),
        reason=with_field_path(
            "refund.reason", _enum, REFUND_REASONS, request.refund.reason, "REASON"
        ),
    )


def capture_amount(request: pb.CapturePaymentRequest) -> Money | None:
    """Reads how much a CapturePaymentRequest captures; None is all of it."""
    return _optional_money(request, "amount")


def release_note(request: pb.ReleasePaymentRequest) -> str:
    """Reads what a person found out about a held payment."""
    return with_field_path(
        "note", free_text, request.note, minimum=1, maximum=1_000, multi_line=True
    )


def request_id(text: str) -> RequestId:
    return with_field_path("request_id", RequestId, text)


def payment_name(text: str, field: str = "name") -> PaymentName:
    return with_field_path(field, PaymentName.parse, text)


def refund_name(text: str) -> RefundName:
    return with_field_path("name", RefundName.parse, text)


def events_of(parent: str) -> PaymentName | None:
    """Reads whose events are asked for: a payment's, or with `payments/-` all (None)."""
    return None if parent == "payments/-" else payment_name(parent, "parent")


def query(request: pb.ListPaymentsRequest, limit: int, after: Position | None) -> PaymentQuery:
    """Reads which payments a ListPaymentsRequest asks for."""
    restrictions = filters.parse(request.filter, FILTERS)
    equal = {each.field: each.value for each in restrictions}

    def value(field: str, make: Callable[[str], Value]) -> Value | None:
        return with_field_path("filter", make, str(equal[field])) if field in equal else None

    return PaymentQuery(
        limit=limit,
        after=after,
        newest_first=filters.newest_first(request.order_by),
        show_deleted=request.show_deleted,
        customer=value("customer", CustomerName.parse),
        state=value("state", _public_state),
        reference=value("reference", Reference),
        held=bool(equal["held"]) if "held" in equal else None,
        create_time=filters.times(restrictions),
    )


FILTERS = {
    "customer": filters.Kind.TEXT,
    "state": filters.Kind.TEXT,
    "reference": filters.Kind.TEXT,
    "held": filters.Kind.BOOLEAN,
    "create_time": filters.Kind.TIME,
}
"""The fields that a list is filtered by: those that have an index."""

CAPTURE_METHODS: Mapping[int, CaptureMethod] = {
    payment_pb2.Payment.CAPTURE_METHOD_UNSPECIFIED: CaptureMethod.AUTOMATIC,
    payment_pb2.Payment.AUTOMATIC: CaptureMethod.AUTOMATIC,
    payment_pb2.Payment.MANUAL: CaptureMethod.MANUAL,
}
REFUND_REASONS: Mapping[int, RefundReason | None] = {
    payment_pb2.Refund.REASON_UNSPECIFIED: None,
    payment_pb2.Refund.DUPLICATE: RefundReason.DUPLICATE,
    payment_pb2.Refund.FRAUDULENT: RefundReason.FRAUDULENT,
    payment_pb2.Refund.REQUESTED_BY_CUSTOMER: RefundReason.REQUESTED_BY_CUSTOMER,
}

FIELD_READERS: Mapping[str, Callable[[payment_pb2.Payment], object]] = {
    "customer": lambda message: CustomerName.parse(message.customer),
    "amount": lambda message: _money(message.amount),
    "payment_method": lambda message: PaymentMethod(message.payment_method),
    "capture_method": lambda message: _enum(
        CAPTURE_METHODS, message.capture_method, "CAPTURE_METHOD"
    ),
    "return_url": lambda message: ReturnUrl(message.return_url) if message.return_url else None,
    "description": lambda message: free_text(message.description, maximum=1_000, multi_line=True),
    "reference": lambda message: Reference(message.reference) if message.reference else None,
    "metadata": lambda message: Metadata.of(message.metadata),
}
"""The fields that a caller sets, and how each is read: those of `PaymentRequest`."""
UPDATABLE = ("description", "metadata", "reference")


def _read(message: payment_pb2.Payment, fields: Iterable[str]) -> dict[str, Any]:
    return {
        field: with_field_path(f"payment.{field}", FIELD_READERS[field], message)
        for field in fields
    }


def _enum(values: Mapping[int, Value], number: int, rule: str) -> Value:
    """Reads the number of an enum; a newer contract may have more of them than we know."""
    if number not in values:
        known = ", ".join(map(str, values))
        raise InvalidValue("", rule, f"it has the number {number}, and can have {known}")
    return values[number]


def _money(message: payment_pb2.Money) -> Money:
    return Money(message.minor_units, message.currency_code)


def _optional_money(
    message: payment_pb2.Refund | pb.CapturePaymentRequest, field: str
) -> Money | None:
    return with_field_path(field, _money, message.amount) if message.HasField("amount") else None


def _public_state(name: str) -> PublicState:
    if name not in PublicState.__members__:
        known = ", ".join(PublicState.__members__)
        raise InvalidValue("", "STATE", f"state is compared with one of {known}")
    return PublicState[name]


# ---------------------------------------------------------------- replies


def payment_message(payment: Payment) -> payment_pb2.Payment:
    """Writes a payment. What belongs to one state is shown in that state only."""
    request, state = payment.request, payment.state
    currency_code = request.amount.currency_code
    message = payment_pb2.Payment(
        name=str(payment.name),
        customer=str(request.customer),
        amount=_money_message(request.amount.minor_units, currency_code),
        payment_method=request.payment_method.token,
        capture_method=payment_pb2.Payment.CaptureMethod.Value(request.capture_method.value),
        return_url=request.return_url.address if request.return_url else "",
        description=request.description,
        reference=str(request.reference or ""),
        metadata=request.metadata.as_dict(),
        state=_state(state),
        failure=_failure(payment.failure) if state is State.FAILED else None,
        amount_captured=_money_message(payment.amount_captured, currency_code),
        amount_refunded=_money_message(payment.amount_refunded, currency_code),
        customer_etag=payment.customer_etag,
        processor_id=payment.intent_id,
        create_time=timestamp(payment.create_time),
        update_time=timestamp(payment.update_time),
        delete_time=timestamp(payment.delete_time),
        etag=payment.etag,
    )
    if state is State.REQUIRES_ACTION:
        message.next_action.redirect_url = payment.redirect_url
    if state is State.AUTHORIZED and payment.capture_before is not None:
        message.capture_before_time.FromDatetime(payment.capture_before)
    if payment.held is not None:
        message.held.reason = payment.held.reason
        message.held.time.FromDatetime(payment.held.time)
    return message


def refund_message(refund: Refund) -> payment_pb2.Refund:
    """Writes a refund."""
    reason = refund.reason.name if refund.reason else "REASON_UNSPECIFIED"
    return payment_pb2.Refund(
        name=str(refund.name),
        amount=_money_message(refund.amount, refund.currency_code),
        reason=payment_pb2.Refund.Reason.Value(reason),
        state=payment_pb2.Refund.State.Value(refund.state.value),
        failure=_failure(refund.failure),
        processor_id=refund.processor_id,
        create_time=timestamp(refund.create_time),
        update_time=timestamp(refund.update_time),
        etag=refund.etag,
    )


def event_message(event: PaymentEvent) -> payment_pb2.PaymentEvent:
    """Writes an event."""
    refund = str(RefundName(event.payment_id, event.refund_id)) if event.refund_id else ""
    return payment_pb2.PaymentEvent(
        payment=str(PaymentName(event.payment_id)),
        sequence=event.sequence,
        type=event.type.value,
        state=_state(event.state),
        refund=refund,
        note=event.note,
        event_time=timestamp(event.event_time),
        cursor=event.cursor,
    )


def _state(state: State) -> payment_pb2.Payment.State.ValueType:
    return payment_pb2.Payment.State.Value(state.public.value)


def _money_message(minor_units: int, currency_code: str) -> payment_pb2.Money:
    return payment_pb2.Money(minor_units=minor_units, currency_code=currency_code)


def _failure(failure: Failure | None) -> payment_pb2.Failure | None:
    if failure is None:
        return None
    return payment_pb2.Failure(
        code=failure.code, decline_code=failure.decline_code, message=failure.message
    )
