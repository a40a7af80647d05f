"""Protobuf to values, naming the field of every bad one, and back."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb

from chassis.aip import field_masks, filters
from chassis.aip.messages import require, timestamp
from chassis.aip.pages import Position
from chassis.values import InvalidValue, Metadata, Reference, RequestId, free_text, with_field_path
from payment.domain.events import PaymentEvent
from payment.domain.payment import (
    CaptureMethod,
    Payment,
    PaymentRequest,
    PublicState,
    State,
)
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


def payment_request(request: service_pb.CreatePaymentRequest) -> PaymentRequest:
    """Reads what CreatePayment is asked for. Output-only fields are not looked at."""
    require(request, "payment")
    said = request.payment
    with_field_path("payment", require, said, "amount")
    return PaymentRequest(
        request_id=with_field_path("request_id", RequestId, request.request_id),
        customer=with_field_path("payment.customer", CustomerName.parse, said.customer),
        amount=with_field_path("payment.amount", _money, said.amount),
        payment_method=with_field_path(
            "payment.payment_method", PaymentMethod, said.payment_method
        ),
        capture_method=_listed("payment.capture_method", CAPTURE_METHODS, said.capture_method),
        return_url=with_field_path("payment.return_url", _return_url, said),
        description=with_field_path("payment.description", _description, said),
        reference=with_field_path("payment.reference", _reference, said),
        metadata=with_field_path("payment.metadata", _metadata, said),
    )


def changes(request: service_pb.UpdatePaymentRequest) -> tuple[PaymentName, PaymentChanges]:
    """Reads which payment UpdatePayment is to change, and how."""
    require(request, "payment")
    said = request.payment
    name = payment_name(said.name, "payment.name")
    fields = field_masks.updated(
        said, request.update_mask, ("description", "metadata", "reference")
    )

    def read(field: str, make: Callable[[pb.Payment], Value]) -> Value | None:
        return with_field_path(f"payment.{field}", make, said) if field in fields else None

    return name, PaymentChanges(
        description=read("description", _description),
        metadata=read("metadata", _metadata),
        reference=read("reference", _reference),
        clears_reference="reference" in fields and not said.reference,
    )


def refund_request(request: service_pb.CreateRefundRequest) -> RefundRequest:
    """Reads what CreateRefund is asked for. Output-only fields are not looked at."""
    require(request, "refund")
    said = request.refund
    return RefundRequest(
        request_id=with_field_path("request_id", RequestId, request.request_id),
        payment=payment_name(request.parent, "parent"),
        amount=with_field_path("refund.amount", _money, said.amount)
        if said.HasField("amount")
        else None,
        reason=_listed("refund.reason", REFUND_REASONS, said.reason),
    )


def capture_amount(request: service_pb.CapturePaymentRequest) -> Money | None:
    """Reads how much CapturePayment is to take; None is all of it."""
    return with_field_path("amount", _money, request.amount) if request.HasField("amount") else None


def release_note(request: service_pb.ReleasePaymentRequest) -> str:
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


def query(
    request: service_pb.ListPaymentsRequest, limit: int, after: Position | None
) -> PaymentQuery:
    """Reads which payments ListPayments is asked for."""
    said = filters.parse(request.filter, FILTERS)
    equal = {each.field: each.value for each in said}

    def compared(field: str, make: Callable[[str], Value]) -> Value | None:
        return with_field_path("filter", make, str(equal[field])) if field in equal else None

    return PaymentQuery(
        limit=limit,
        after=after,
        newest_first=filters.newest_first(request.order_by),
        show_deleted=request.show_deleted,
        customer=compared("customer", CustomerName.parse),
        state=compared("state", _public_state),
        reference=compared("reference", Reference),
        held=bool(equal["held"]) if "held" in equal else None,
        create_time=filters.times(said),
    )


FILTERS = {
    "customer": filters.Kind.TEXT,
    "state": filters.Kind.TEXT,
    "reference": filters.Kind.TEXT,
    "held": filters.Kind.TRUTH,
    "create_time": filters.Kind.TIME,
}
"""What a list is filtered by: what an index serves."""

CAPTURE_METHODS: Mapping[int, CaptureMethod] = {
    pb.Payment.CAPTURE_METHOD_UNSPECIFIED: CaptureMethod.AUTOMATIC,
    pb.Payment.AUTOMATIC: CaptureMethod.AUTOMATIC,
    pb.Payment.MANUAL: CaptureMethod.MANUAL,
}
REFUND_REASONS: Mapping[int, RefundReason | None] = {
    pb.Refund.REASON_UNSPECIFIED: None,
    pb.Refund.DUPLICATE: RefundReason.DUPLICATE,
    pb.Refund.FRAUDULENT: RefundReason.FRAUDULENT,
    pb.Refund.REQUESTED_BY_CUSTOMER: RefundReason.REQUESTED_BY_CUSTOMER,
}
UNSAID = pb.Refund.Reason.Name(pb.Refund.REASON_UNSPECIFIED)


def _listed(field: str, table: Mapping[int, Value], number: int) -> Value:
    """Reads a number of an enum; a newer contract may have more of them than we know."""
    if number not in table:
        rule = field.rpartition(".")[2].upper()
        known = ", ".join(map(str, table))
        raise InvalidValue(field, rule, f"it has the number {number}, and can have {known}")
    return table[number]


def _money(said: pb.Money) -> Money:
    return Money(said.minor_units, said.currency_code)


def _return_url(said: pb.Payment) -> ReturnUrl | None:
    return ReturnUrl(said.return_url) if said.return_url else None


def _description(said: pb.Payment) -> str:
    return free_text(said.description, maximum=1_000, multi_line=True)


def _reference(said: pb.Payment) -> Reference | None:
    return Reference(said.reference) if said.reference else None


def _metadata(said: pb.Payment) -> Metadata:
    return Metadata.of(said.metadata)


def _public_state(name: str) -> PublicState:
    if name not in PublicState.__members__:
        known = ", ".join(PublicState.__members__)
        raise InvalidValue("", "STATE", f"state is compared with one of {known}")
    return PublicState[name]


def payment_message(payment: Payment) -> pb.Payment:
    """Writes a payment. What belongs to one state is shown in that state only."""
    asked, state = payment.request, payment.state
    currency = asked.amount.currency_code
    said = pb.Payment(
        name=str(payment.name),
        customer=str(asked.customer),
        amount=_money_message(asked.amount.minor_units, currency),
        payment_method=asked.payment_method.token,
        capture_method=pb.Payment.CaptureMethod.Value(asked.capture_method.value),
        return_url=asked.return_url.address if asked.return_url else "",
        description=asked.description,
        reference=str(asked.reference or ""),
        metadata=asked.metadata.as_dict(),
        state=_state(state),
        failure=_failure(payment.failure) if state is State.FAILED else None,
        amount_captured=_money_message(payment.amount_captured, currency),
        amount_refunded=_money_message(payment.amount_refunded, currency),
        customer_etag=payment.customer_etag,
        processor_id=payment.intent_id,
        create_time=timestamp(payment.create_time),
        update_time=timestamp(payment.update_time),
        delete_time=timestamp(payment.delete_time),
        etag=payment.etag,
    )
    if state is State.REQUIRES_ACTION:
        said.next_action.redirect_url = payment.redirect_url
    if state is State.AUTHORIZED and payment.capture_before is not None:
        said.capture_before_time.FromDatetime(payment.capture_before)
    if payment.held is not None:
        said.held.reason = payment.held.reason
        said.held.time.FromDatetime(payment.held.time)
    return said


def refund_message(refund: Refund) -> pb.Refund:
    """Writes a refund."""
    return pb.Refund(
        name=str(refund.name),
        amount=_money_message(refund.amount, refund.currency_code),
        reason=pb.Refund.Reason.Value(refund.reason.name if refund.reason else UNSAID),
        state=pb.Refund.State.Value(refund.state.value),
        failure=_failure(refund.failure),
        processor_id=refund.processor_id,
        create_time=timestamp(refund.create_time),
        update_time=timestamp(refund.update_time),
        etag=refund.etag,
    )


def event_message(event: PaymentEvent) -> pb.PaymentEvent:
    """Writes an event."""
    payment = PaymentName(event.payment_id)
    return pb.PaymentEvent(
        payment=str(payment),
        sequence=event.sequence,
        type=event.type.value,
        state=_state(event.state),
        refund=str(RefundName(payment.id, event.refund_id)) if event.refund_id else "",
        note=event.note,
        event_time=timestamp(event.event_time),
        cursor=event.cursor,
    )


def _state(state: State) -> pb.Payment.State.ValueType:
    return pb.Payment.State.Value(state.public.value)


def _money_message(minor_units: int, currency_code: str) -> pb.Money:
    return pb.Money(minor_units=minor_units, currency_code=currency_code)


def _failure(said: Failure | None) -> pb.Failure | None:
    if said is None:
        return None
    return pb.Failure(code=said.code, decline_code=said.decline_code, message=said.message)
