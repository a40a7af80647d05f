"""The whole service as its clients see it: every method, and every refusal that can be provoked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import RunningService, refusal, refused, running_service

from chassis.identifiers import uuid7
from payment.domain.values import CustomerName
from sandbox.faults import Kind

NOBODY = "payments/01939c5e-0000-7000-8000-00000000dead"


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[RunningService]:
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path) as service:
        yield service


def eur(minor_units: int) -> pb.Money:
    return pb.Money(minor_units=minor_units, currency_code="EUR")


def capture(
    payment: pb.Payment, request_id: str = "", **said: Any
) -> service_pb.CapturePaymentRequest:
    request_id = request_id or str(uuid4())
    return service_pb.CapturePaymentRequest(name=payment.name, request_id=request_id, **said)


def cancel(payment: pb.Payment, request_id: str = "") -> service_pb.CancelPaymentRequest:
    request_id = request_id or str(uuid4())
    return service_pb.CancelPaymentRequest(name=payment.name, request_id=request_id)


def refund(
    payment: pb.Payment, request_id: str = "", **said: Any
) -> service_pb.CreateRefundRequest:
    return service_pb.CreateRefundRequest(
        parent=payment.name, refund=pb.Refund(**said), request_id=request_id or str(uuid4())
    )


def update(payment: pb.Payment, *paths: str, **said: Any) -> service_pb.UpdatePaymentRequest:
    return service_pb.UpdatePaymentRequest(
        payment=pb.Payment(name=payment.name, **said), update_mask=FieldMask(paths=paths)
    )


async def test_a_good_card_is_charged_once_however_often_the_request_is_sent(
    service: RunningService,
) -> None:
    asked = service.creation(description="a book", reference="A-1", metadata={"k": "v"})
    payment = await service.stub.CreatePayment(asked)
    assert payment.state == pb.Payment.SUCCEEDED
    assert (payment.amount, payment.amount_captured, payment.amount_refunded) == (
        eur(1000),
        eur(1000),
        eur(0),
    )
    assert (payment.description, payment.reference, dict(payment.metadata)) == (
        "a book",
        "A-1",
        {"k": "v"},
    )
    assert payment.customer_etag == '"1"'
    assert payment.processor_id.startswith("pi_")
    again = await asyncio.gather(*(service.stub.CreatePayment(asked) for _ in range(5)))
    assert again == [payment] * 5
    assert await service.get(payment) == payment
    assert await service.event_types(payment) == ["payment.created", "payment.succeeded"]


async def test_ten_of_one_request_at_once_are_one_payment(service: RunningService) -> None:
    asked = service.creation(reference="A-1")
    replies = await asyncio.gather(*(service.stub.CreatePayment(asked) for _ in range(10)))
    assert len({reply.name for reply in replies}) == 1
    payment = await service.seen(replies[0])
    assert payment.state == pb.Payment.SUCCEEDED
    async with aiohttp.ClientSession(service.processor_address) as session:
        moved = await (await session.get("/_sandbox/movements")).json()
    assert [each["kind"] for each in moved["movements"]] == ["captured"]


async def test_a_decline_is_a_payment_that_failed_and_can_be_deleted(
    service: RunningService,
) -> None:
    payment = await service.pay(
        payment_method="pm_card_visa_chargeDeclinedInsufficientFunds", reference="A-1"
    )
    assert payment.state == pb.Payment.FAILED
    assert payment.failure.code == "card_declined"
    assert payment.failure.decline_code == "insufficient_funds"
    assert payment.failure.message
    assert payment.amount_captured == eur(0)

    deletion = service_pb.DeletePaymentRequest(name=payment.name, etag=payment.etag)
    deleted = await service.stub.DeletePayment(deletion)
    assert deleted.HasField("delete_time")
    assert await service.stub.DeletePayment(deletion) == deleted
    assert await service.get(payment) == deleted
    forbidden = service.stub.UpdatePayment(update(payment, description="x"))
    assert await refused(forbidden) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_DELETED")

    undeletion = service_pb.UndeletePaymentRequest(name=payment.name)
    back = await service.stub.UndeletePayment(undeletion)
    assert not back.HasField("delete_time")
    assert await service.stub.UndeletePayment(undeletion) == back
    assert (await service.pay(reference="A-1")).state == pb.Payment.SUCCEEDED, "the order is open"


async def test_a_hold_is_captured_once_and_in_part(service: RunningService) -> None:
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    assert held.state == pb.Payment.AUTHORIZED
    assert held.HasField("capture_before_time")
    assert held.amount_captured == eur(0)

    too_much = await refusal(service.stub.CapturePayment(capture(held, amount=eur(1001))))
    assert (too_much.code, too_much.info.reason) == (
        StatusCode.FAILED_PRECONDITION,
        "AMOUNT_TOO_LARGE",
    )
    assert too_much.info.metadata["maximum"] == "1000"
    other = pb.Money(minor_units=1, currency_code="USD")
    assert (await refused(service.stub.CapturePayment(capture(held, amount=other))))[1] == (
        "AMOUNT_TOO_LARGE"
    )

    asked = capture(held, amount=eur(400), etag=held.etag)
    captured = await service.stub.CapturePayment(asked)
    assert (captured.state, captured.amount_captured) == (pb.Payment.SUCCEEDED, eur(400))
    assert not captured.HasField("capture_before_time")
    assert await service.stub.CapturePayment(asked) == captured
    second = await refusal(service.stub.CapturePayment(capture(held)))
    assert (second.code, second.info.reason) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE")
    assert second.info.metadata["state"] == "SUCCEEDED"
    assert second.resource.resource_name == held.name
    reused = await refusal(service.stub.CapturePayment(capture(held, asked.request_id)))
    assert reused.fields == [("request_id", "REQUEST_ID_REUSED")]


async def test_a_hold_is_called_off(service: RunningService) -> None:
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    asked = cancel(held)
    canceled = await service.stub.CancelPayment(asked)
    assert (canceled.state, canceled.amount_captured) == (pb.Payment.CANCELED, eur(0))
    assert await service.stub.CancelPayment(asked) == canceled
    charged = await service.pay()
    late = service.stub.CancelPayment(cancel(charged))
    assert await refused(late) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE")


async def test_money_goes_back_in_parts_and_never_more_than_came(service: RunningService) -> None:
    payment = await service.pay()
    asked = refund(payment, amount=eur(400), reason=pb.Refund.REQUESTED_BY_CUSTOMER)
    first = await service.stub.CreateRefund(asked)
    assert first.name.startswith(f"{payment.name}/refunds/")
    assert (first.state, first.amount, first.reason) == (
        pb.Refund.SUCCEEDED,
        eur(400),
        pb.Refund.REQUESTED_BY_CUSTOMER,
    )
    assert first.processor_id.startswith("re_")
    assert await service.stub.CreateRefund(asked) == first
    assert (await service.get(payment)).amount_refunded == eur(400)

    too_much = await refusal(service.stub.CreateRefund(refund(payment, amount=eur(601))))
    assert too_much.info.reason == "AMOUNT_TOO_LARGE"
    assert too_much.info.metadata["maximum"] == "600"
    other = refund(payment, amount=pb.Money(minor_units=1, currency_code="USD"))
    assert (await refused(service.stub.CreateRefund(other)))[1] == "AMOUNT_TOO_LARGE"
    reused = refund(payment, asked.request_id, amount=eur(1))
    assert (await refused(service.stub.CreateRefund(reused)))[1] == "REQUEST_ID_REUSED"

    rest = await service.stub.CreateRefund(refund(payment))
    assert rest.amount == eur(600)
    nothing = await refused(service.stub.CreateRefund(refund(payment)))
    assert nothing == (StatusCode.FAILED_PRECONDITION, "AMOUNT_TOO_LARGE")
    got = await service.stub.GetRefund(service_pb.GetRefundRequest(name=first.name))
    assert got == first
    listed = await service.stub.ListRefunds(service_pb.ListRefundsRequest(parent=payment.name))
    assert list(listed.refunds) == [rest, first]


async def test_what_about_a_payment_is_no_money_can_be_changed(service: RunningService) -> None:
    payment = await service.pay(description="a book", metadata={"k": "v"})
    changed = await service.stub.UpdatePayment(
        update(payment, "description", "reference", reference="A-1", etag=payment.etag)
    )
    assert (changed.description, changed.reference) == ("", "A-1")
    assert dict(changed.metadata) == {"k": "v"}
    again = service.stub.UpdatePayment(update(payment, reference="A-2"))
    assert await refused(again) == (StatusCode.FAILED_PRECONDITION, "REFERENCE_SET")
    other = await service.pay()
    taken = await refusal(service.stub.UpdatePayment(update(other, reference="A-1")))
    assert (taken.code, taken.info.reason) == (StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN")
    assert taken.resource.resource_name == payment.name
    with_money = service.stub.UpdatePayment(update(other, "amount", amount=eur(1)))
    assert (await refusal(with_money)).fields == [("update_mask", "MASK_PATH")]
    deleting = service.stub.DeletePayment(service_pb.DeletePaymentRequest(name=other.name))
    assert await refused(deleting) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE")


async def test_3d_secure_waits_for_the_customer(service: RunningService) -> None:
    payment = await service.pay(
        payment_method="pm_card_authenticationRequired", return_url="https://shop.example/back"
    )
    assert payment.state == pb.Payment.REQUIRES_ACTION
    assert payment.next_action.redirect_url.startswith(service.processor_address)
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(
            payment.next_action.redirect_url, data={"answer": "approve"}, allow_redirects=False
        ) as page,
    ):
        assert page.status < 400
    await service.look_now(payment)
    payment = await service.seen(payment)
    assert payment.state == pb.Payment.SUCCEEDED
    assert not payment.HasField("next_action")


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        ({"delete_time": "2026-01-01"}, "CUSTOMER_DELETED"),
        ({"state": 2}, "CUSTOMER_BLOCKED"),
    ],
)
async def test_a_customer_who_may_not_pay_is_not_charged(
    service: RunningService, standing: dict[str, Any], reason: str
) -> None:
    bob = CustomerName(uuid7())
    service.customers.keep(bob)
    said = service.customers.customers[str(bob)]
    if "state" in standing:
        said.state = standing["state"]
    else:
        said.delete_time.GetCurrentTime()
    error = await refusal(service.stub.CreatePayment(service.creation(customer=str(bob))))
    assert (error.code, error.info.reason) == (StatusCode.FAILED_PRECONDITION, reason)
    assert (error.resource.resource_type, error.resource.resource_name) == (
        "oncepay.customer/Customer",
        str(bob),
    )


async def test_a_customer_whom_nobody_knows_is_not_charged(service: RunningService) -> None:
    stranger = service.creation(customer=f"customers/{uuid7()}")
    assert await refused(service.stub.CreatePayment(stranger)) == (
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_NOT_FOUND",
    )


async def test_without_the_customer_service_nobody_pays(service: RunningService) -> None:
    asked = service.creation()
    service.customers.failures = [StatusCode.INTERNAL]
    error = await refusal(service.stub.CreatePayment(asked))
    assert (error.code, error.info.reason) == (
        StatusCode.UNAVAILABLE,
        "CUSTOMER_SERVICE_UNAVAILABLE",
    )
    assert error.is_worth_repeating
    assert (await service.stub.CreatePayment(asked)).state == pb.Payment.SUCCEEDED


async def test_the_call_id_reaches_the_customer_service(service: RunningService) -> None:
    metadata = (("x-request-id", "a1b2c3d4e5f60718"),)
    await service.stub.CreatePayment(service.creation(), metadata=metadata)
    assert service.customers.calls[-1][0]["x-request-id"] == "a1b2c3d4e5f60718"


async def test_an_order_is_paid_once(service: RunningService) -> None:
    first = await service.pay(reference="A-1")
    error = await refusal(service.stub.CreatePayment(service.creation(reference="A-1")))
    assert (error.code, error.info.reason) == (StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN")
    assert error.resource.resource_name == first.name


async def test_a_request_id_stands_for_one_content(service: RunningService) -> None:
    request_id = str(uuid4())
    payment = await service.pay(request_id=request_id)
    other = await refusal(service.stub.CreatePayment(service.creation(request_id, amount=eur(1))))
    assert (other.code, other.fields) == (
        StatusCode.INVALID_ARGUMENT,
        [("request_id", "REQUEST_ID_REUSED")],
    )
    for call in (
        service.stub.CancelPayment(cancel(payment, request_id)),
        service.stub.CreateRefund(refund(payment, request_id)),
    ):
        assert await refused(call) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"payment_method": "pm_nobodys"}, "payment.payment_method"),
        (
            {"amount": pb.Money(minor_units=10, currency_code="XXX")},
            "payment.amount.currency_code",
        ),
        (
            {"amount": pb.Money(minor_units=1001, currency_code="KWD")},
            "payment.amount.minor_units",
        ),
    ],
)
async def test_what_the_processor_does_not_take_is_named(
    service: RunningService, said: dict[str, Any], field: str
) -> None:
    error = await refusal(service.stub.CreatePayment(service.creation(**said)))
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [(field, "REFUSED_BY_PROCESSOR")]
    assert error.info.metadata["code"]


async def test_a_part_that_the_processor_cannot_say_is_refused_at_the_door(
    service: RunningService,
) -> None:
    dinars = pb.Money(minor_units=10_000, currency_code="KWD")
    part = pb.Money(minor_units=1_001, currency_code="KWD")
    held = await service.pay(amount=dinars, capture_method=pb.Payment.MANUAL)
    error = await refusal(service.stub.CapturePayment(capture(held, amount=part)))
    assert error.fields == [("amount.minor_units", "REFUSED_BY_PROCESSOR")]
    paid = await service.stub.CapturePayment(capture(held))
    error = await refusal(service.stub.CreateRefund(refund(paid, amount=part)))
    assert error.fields == [("refund.amount.minor_units", "REFUSED_BY_PROCESSOR")]


async def test_a_broken_value_is_named(service: RunningService) -> None:
    error = await refusal(service.stub.CreatePayment(service.creation(amount=eur(0))))
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [("payment.amount.minor_units", "AMOUNT_RANGE")]


async def test_while_the_processor_is_away_nothing_is_accepted(service: RunningService) -> None:
    asked = service.creation(reference="A-1")
    service.plan(Kind.DROP, "POST /v1/payment_intents$")
    error = await refusal(service.stub.CreatePayment(asked))
    assert (error.code, error.info.reason) == (StatusCode.UNAVAILABLE, "PROCESSOR_UNAVAILABLE")
    assert error.is_worth_repeating
    assert (await service.stub.CreatePayment(asked)).state == pb.Payment.SUCCEEDED


async def test_an_outcome_that_is_not_known_is_found_out(service: RunningService) -> None:
    service.plan(Kind.LOSE_REPLY, "/confirm")
    payment = await service.pay()
    assert payment.state == pb.Payment.PROCESSING
    await service.look_now(payment)
    payment = await service.seen(payment)
    assert (payment.state, payment.amount_captured) == (pb.Payment.SUCCEEDED, eur(1000))


@pytest.mark.usefixtures("callers_are_told_early")
async def test_a_caller_whose_time_ends_gets_the_payment_as_it_is(service: RunningService) -> None:
    service.plan(Kind.SLOW, "/confirm", seconds=3)
    asked = service.creation()
    payment = await service.stub.CreatePayment(asked, timeout=2)
    assert payment.state == pb.Payment.PROCESSING
    assert (await service.seen(payment)).state == pb.Payment.SUCCEEDED
    assert (await service.stub.CreatePayment(asked)).state == pb.Payment.SUCCEEDED


async def test_a_caller_that_left_before_the_birth_leaves_no_payment(
    service: RunningService,
) -> None:
    service.plan(Kind.SLOW, "POST /v1/payment_intents$", seconds=1)
    asked = service.creation(reference="A-1")
    with pytest.raises(asyncio.CancelledError):
        call = service.stub.CreatePayment(asked)
        asyncio.get_running_loop().call_later(0.5, call.cancel)
        await call
    async with aiohttp.ClientSession(service.processor_address) as session:
        summary: dict[str, Any] = {}
        while summary.get("payment_intents") != 1:
            summary = await (await session.get("/_sandbox")).json()
    listed = await service.stub.ListPayments(service_pb.ListPaymentsRequest())
    assert not listed.payments
    assert (await service.stub.CreatePayment(asked)).state == pb.Payment.SUCCEEDED


async def test_a_held_payment_waits_until_a_person_releases_it(service: RunningService) -> None:
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    await service.behind_its_back(
        "UPDATE payments SET held_reason = 'another amount', held_time = now(), due_time = NULL,"
        " version = version + 1 WHERE id = $1",
        held,
    )
    held = await service.get(held)
    assert held.held.reason == "another amount"
    error = await refusal(service.stub.CapturePayment(capture(held)))
    assert (error.code, error.info.reason) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_HELD")

    silent = service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(name=held.name))
    assert (await refusal(silent)).fields == [("note", "TOO_SHORT")]
    release = service_pb.ReleasePaymentRequest(
        name=held.name, note="looked it up: it is right", etag=held.etag
    )
    service.plan(Kind.DROP, "GET /v1/payment_intents", times=2)  # aiohttp repeats a GET by itself
    assert await refused(service.stub.ReleasePayment(release)) == (
        StatusCode.UNAVAILABLE,
        "PROCESSOR_UNAVAILABLE",
    )
    released = await service.stub.ReleasePayment(release)
    assert (released.state, released.HasField("held")) == (pb.Payment.AUTHORIZED, False)
    events = await service.stub.ListPaymentEvents(
        service_pb.ListPaymentEventsRequest(parent=held.name)
    )
    last = events.payment_events[-1]
    assert (last.type, last.note) == ("payment.released", "looked it up: it is right")
    again = service_pb.ReleasePaymentRequest(name=held.name, note="once more")
    assert await refused(service.stub.ReleasePayment(again)) == (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_STATE",
    )


async def test_whoever_saw_another_version_changes_nothing(service: RunningService) -> None:
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    said: dict[str, Any] = {"name": held.name, "etag": '"99"'}
    with_id = said | {"request_id": str(uuid4())}
    for call in (
        service.stub.UpdatePayment(update(held, description="x", etag='"99"')),
        service.stub.DeletePayment(service_pb.DeletePaymentRequest(**said)),
        service.stub.UndeletePayment(service_pb.UndeletePaymentRequest(**said)),
        service.stub.CapturePayment(service_pb.CapturePaymentRequest(**with_id)),
        service.stub.CancelPayment(service_pb.CancelPaymentRequest(**with_id)),
        service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(**said, note="x")),
    ):
        assert await refused(call) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await service.get(held) == held


async def test_what_is_not_there_is_not_found(service: RunningService) -> None:
    nothing = pb.Payment(name=NOBODY)
    for call in (
        service.stub.GetPayment(service_pb.GetPaymentRequest(name=NOBODY)),
        service.stub.UpdatePayment(update(nothing, description="x")),
        service.stub.DeletePayment(service_pb.DeletePaymentRequest(name=NOBODY)),
        service.stub.UndeletePayment(service_pb.UndeletePaymentRequest(name=NOBODY)),
        service.stub.CapturePayment(capture(nothing)),
        service.stub.CancelPayment(cancel(nothing)),
        service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(name=NOBODY, note="x")),
        service.stub.CreateRefund(refund(nothing)),
        service.stub.ListRefunds(service_pb.ListRefundsRequest(parent=NOBODY)),
        service.stub.ListPaymentEvents(service_pb.ListPaymentEventsRequest(parent=NOBODY)),
        service.stub.WatchPaymentEvents(service_pb.WatchPaymentEventsRequest(parent=NOBODY)).read(),
    ):
        error = await refusal(call)
        assert (error.code, error.info.reason) == (StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND")
        assert error.resource.resource_name == NOBODY
    refund_name = f"{NOBODY}/refunds/{uuid7()}"
    lost = service.stub.GetRefund(service_pb.GetRefundRequest(name=refund_name))
    assert await refused(lost) == (StatusCode.NOT_FOUND, "REFUND_NOT_FOUND")


async def test_a_name_that_is_none_is_refused(service: RunningService) -> None:
    for call, field in (
        (service.stub.GetPayment(service_pb.GetPaymentRequest(name="payments/-")), "name"),
        (service.stub.GetRefund(service_pb.GetRefundRequest(name=NOBODY)), "name"),
        (service.stub.ListRefunds(service_pb.ListRefundsRequest(parent="payments/-")), "parent"),
    ):
        assert (await refusal(call)).fields == [(field, "RESOURCE_NAME")]
