"""CreatePayment and the changes of a payment, as clients of the running service see them."""

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.api_requests import (
    cancel_request,
    capture_request,
    euros,
    refund_request,
    update_request,
)
from support.running_service import RunningService, code_and_reason, error_of

from chassis.identifiers import uuid7
from sandbox.faults import Kind

HELD_BY_HAND = """
UPDATE payments SET held_reason = 'another amount', held_time = now(), due_time = NULL,
       version = version + 1
 WHERE id = $1
"""


# ---------------------------------------------------------------- create


async def test_a_good_card_is_charged_once_however_often_the_request_is_sent(
    service: RunningService,
) -> None:
    request = service.create_request(description="a book", reference="A-1", metadata={"k": "v"})
    payment = await service.stub.CreatePayment(request)
    assert payment.state == pb.Payment.SUCCEEDED
    assert payment.amount == payment.amount_captured == euros(1000)
    assert payment.amount_refunded == euros(0)
    assert (payment.description, payment.reference) == ("a book", "A-1")
    assert dict(payment.metadata) == {"k": "v"}
    assert payment.customer_etag == '"1"'
    assert payment.processor_id.startswith("pi_")
    again = await asyncio.gather(*(service.stub.CreatePayment(request) for _ in range(5)))
    assert again == [payment] * 5
    assert await service.get(payment) == payment
    assert await service.event_types(payment) == ["payment.created", "payment.succeeded"]


async def test_ten_concurrent_copies_of_a_request_are_one_payment_and_one_charge(
    service: RunningService,
) -> None:
    request = service.create_request(reference="A-1")
    replies = await asyncio.gather(*(service.stub.CreatePayment(request) for _ in range(10)))
    assert len({reply.name for reply in replies}) == 1
    payment = await service.wait_for_state(replies[0])
    assert payment.state == pb.Payment.SUCCEEDED
    async with aiohttp.ClientSession(service.processor_address) as session:
        reply = await (await session.get("/_sandbox/movements")).json()
    assert [movement["kind"] for movement in reply["movements"]] == ["captured"]


async def test_a_declined_payment_failed_with_the_reason_and_leaves_its_reference_free(
    service: RunningService,
) -> None:
    card = "pm_card_visa_chargeDeclinedInsufficientFunds"
    payment = await service.pay(payment_method=card, reference="A-1")
    assert payment.state == pb.Payment.FAILED
    assert payment.failure.code == "card_declined"
    assert payment.failure.decline_code == "insufficient_funds"
    assert payment.failure.message
    assert payment.amount_captured == euros(0)
    assert (await service.pay(reference="A-1")).state == pb.Payment.SUCCEEDED


@pytest.mark.usefixtures("frequent_recovery")
async def test_a_payment_that_requires_3d_secure_succeeds_when_the_customer_approves(
    service: RunningService,
) -> None:
    payment = await service.pay(
        payment_method="pm_card_authenticationRequired", return_url="https://shop.example/back"
    )
    assert payment.state == pb.Payment.REQUIRES_ACTION
    url = payment.next_action.redirect_url
    assert url.startswith(service.processor_address)
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(url, data={"answer": "approve"}, allow_redirects=False) as page,
    ):
        assert page.status < 400
    await service.make_due(payment)
    payment = await service.wait_for_state(payment)
    assert payment.state == pb.Payment.SUCCEEDED
    assert not payment.HasField("next_action")


@pytest.mark.usefixtures("frequent_recovery")
async def test_a_payment_without_a_reply_of_the_processor_is_processing_until_recovery_asks(
    service: RunningService,
) -> None:
    service.plan_fault(Kind.LOSE_REPLY, "/confirm")
    payment = await service.pay()
    assert payment.state == pb.Payment.PROCESSING
    await service.make_due(payment)
    payment = await service.wait_for_state(payment)
    assert (payment.state, payment.amount_captured) == (pb.Payment.SUCCEEDED, euros(1000))


@pytest.mark.usefixtures("answers_callers_at_once")
async def test_a_caller_whose_time_ends_gets_the_payment_as_it_is_and_the_payment_goes_on(
    service: RunningService,
) -> None:
    service.plan_fault(Kind.SLOW, "/confirm", seconds=0.5)
    request = service.create_request()
    payment = await service.stub.CreatePayment(request)
    assert payment.state == pb.Payment.PROCESSING
    assert (await service.wait_for_state(payment)).state == pb.Payment.SUCCEEDED
    assert (await service.stub.CreatePayment(request)).state == pb.Payment.SUCCEEDED


async def test_a_caller_that_leaves_before_the_payment_is_recorded_leaves_none(
    service: RunningService,
) -> None:
    request = service.create_request(reference="A-1")
    service.customers.may_answer.clear()
    call = service.stub.CreatePayment(request)
    await service.customers.called.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(3):  # later calls of the same connection: the service has heard that it left
        await error_of(service.stub.GetPayment(service_pb.GetPaymentRequest(name="payments/-")))
    service.customers.may_answer.set()
    assert await final_intent_status(service) == "canceled"
    listed = await service.stub.ListPayments(service_pb.ListPaymentsRequest())
    assert not listed.payments
    assert (await service.stub.CreatePayment(request)).state == pb.Payment.SUCCEEDED


async def final_intent_status(service: RunningService) -> str:
    """The status of the processor's only intent, once it is canceled or charged."""
    headers = {"Authorization": "Bearer sk_test_any"}
    async with aiohttp.ClientSession(service.processor_address, headers=headers) as session:
        while True:
            intents = (await (await session.get("/v1/payment_intents")).json())["data"]
            if intents and intents[0]["status"] in ("canceled", "succeeded"):
                return str(intents[0]["status"])
            await asyncio.sleep(0.01)


# ---------------------------------------------------------------- refusals of a creation


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"delete_time": {"seconds": 1_800_000_000}}, "CUSTOMER_DELETED"),
        ({"state": 2}, "CUSTOMER_BLOCKED"),
    ],
)
async def test_a_customer_who_may_not_pay_is_refused(
    service: RunningService, fields: dict[str, Any], reason: str
) -> None:
    service.customers.add(service.customer, **fields)
    error = await error_of(service.stub.CreatePayment(service.create_request()))
    assert (error.code, error.info.reason) == (StatusCode.FAILED_PRECONDITION, reason)
    assert error.resource.resource_type == "oncepay.customer/Customer"
    assert error.resource.resource_name == str(service.customer)


async def test_an_unknown_customer_is_refused(service: RunningService) -> None:
    request = service.create_request(customer=f"customers/{uuid7()}")
    assert await code_and_reason(service.stub.CreatePayment(request)) == (
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_NOT_FOUND",
    )


async def test_without_the_customer_service_a_payment_is_unavailable_and_may_be_repeated(
    service: RunningService,
) -> None:
    request = service.create_request()
    service.customers.failures = [StatusCode.INTERNAL]
    error = await error_of(service.stub.CreatePayment(request))
    assert error.code is StatusCode.UNAVAILABLE
    assert error.info.reason == "CUSTOMER_SERVICE_UNAVAILABLE"
    assert error.may_be_repeated
    assert (await service.stub.CreatePayment(request)).state == pb.Payment.SUCCEEDED


async def test_without_the_processor_a_payment_is_unavailable_and_may_be_repeated(
    service: RunningService,
) -> None:
    request = service.create_request(reference="A-1")
    service.plan_fault(Kind.DROP, "POST /v1/payment_intents$")
    error = await error_of(service.stub.CreatePayment(request))
    assert (error.code, error.info.reason) == (StatusCode.UNAVAILABLE, "PROCESSOR_UNAVAILABLE")
    assert error.may_be_repeated
    assert (await service.stub.CreatePayment(request)).state == pb.Payment.SUCCEEDED


async def test_a_reference_is_paid_once(service: RunningService) -> None:
    first = await service.pay(reference="A-1")
    error = await error_of(service.stub.CreatePayment(service.create_request(reference="A-1")))
    assert (error.code, error.info.reason) == (StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN")
    assert error.resource.resource_name == first.name


async def test_a_request_id_stands_for_one_operation_with_one_content(
    service: RunningService,
) -> None:
    request_id = str(uuid4())
    payment = await service.pay(request_id=request_id)
    other = service.create_request(request_id, amount=euros(1))
    error = await error_of(service.stub.CreatePayment(other))
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [("request_id", "REQUEST_ID_REUSED")]
    for call in (
        service.stub.CancelPayment(cancel_request(payment, request_id)),
        service.stub.CreateRefund(refund_request(payment, request_id)),
    ):
        assert await code_and_reason(call) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"payment_method": "pm_unknown"}, "payment.payment_method"),
        ({"payment_method": "tok_visa"}, "payment.payment_method"),
        (
            {"amount": pb.Money(minor_units=10, currency_code="XXX")},
            "payment.amount.currency_code",
        ),
        ({"amount": pb.Money(minor_units=1001, currency_code="KWD")}, "payment.amount.minor_units"),
    ],
)
async def test_a_field_that_the_processor_does_not_take_is_named(
    service: RunningService, fields: dict[str, Any], field: str
) -> None:
    error = await error_of(service.stub.CreatePayment(service.create_request(**fields)))
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [(field, "REFUSED_BY_PROCESSOR")]
    assert error.info.metadata["code"]


async def test_an_invalid_field_is_named(service: RunningService) -> None:
    error = await error_of(service.stub.CreatePayment(service.create_request(amount=euros(0))))
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [("payment.amount.minor_units", "AMOUNT_RANGE")]


async def test_the_call_id_is_passed_to_the_customer_service(service: RunningService) -> None:
    metadata = (("x-request-id", "a1b2c3d4e5f60718"),)
    await service.stub.CreatePayment(service.create_request(), metadata=metadata)
    sent_metadata, _ = service.customers.calls[-1]
    assert sent_metadata["x-request-id"] == "a1b2c3d4e5f60718"


# ---------------------------------------------------------------- capture and cancel


async def test_an_authorized_payment_is_captured_once_and_in_part(service: RunningService) -> None:
    authorized = await service.pay(capture_method=pb.Payment.MANUAL)
    assert authorized.state == pb.Payment.AUTHORIZED
    assert authorized.HasField("capture_before_time")
    assert authorized.amount_captured == euros(0)

    request = capture_request(authorized, amount=euros(400), etag=authorized.etag)
    captured = await service.stub.CapturePayment(request)
    assert (captured.state, captured.amount_captured) == (pb.Payment.SUCCEEDED, euros(400))
    assert not captured.HasField("capture_before_time")
    assert await service.stub.CapturePayment(request) == captured

    second = await error_of(service.stub.CapturePayment(capture_request(authorized)))
    assert (second.code, second.info.reason) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE")
    assert second.info.metadata["state"] == "SUCCEEDED"
    assert second.resource.resource_name == authorized.name
    other_content = capture_request(authorized, request.request_id)
    error = await error_of(service.stub.CapturePayment(other_content))
    assert error.fields == [("request_id", "REQUEST_ID_REUSED")]


async def test_more_than_was_authorized_and_another_currency_are_not_captured(
    service: RunningService,
) -> None:
    authorized = await service.pay(capture_method=pb.Payment.MANUAL)
    for amount in (euros(1001), pb.Money(minor_units=1, currency_code="USD")):
        request = capture_request(authorized, amount=amount)
        error = await error_of(service.stub.CapturePayment(request))
        assert error.code is StatusCode.FAILED_PRECONDITION
        assert error.info.reason == "AMOUNT_TOO_LARGE"
        assert error.info.metadata["maximum"] == "1000"


async def test_an_authorized_payment_is_canceled_and_a_charged_one_is_not(
    service: RunningService,
) -> None:
    request = cancel_request(await service.pay(capture_method=pb.Payment.MANUAL))
    canceled = await service.stub.CancelPayment(request)
    assert (canceled.state, canceled.amount_captured) == (pb.Payment.CANCELED, euros(0))
    assert await service.stub.CancelPayment(request) == canceled
    charged = await service.pay()
    too_late = service.stub.CancelPayment(cancel_request(charged))
    assert await code_and_reason(too_late) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE")


async def test_a_held_payment_is_changed_by_its_release_only(service: RunningService) -> None:
    authorized = await service.pay(capture_method=pb.Payment.MANUAL)
    await service.query(HELD_BY_HAND, authorized)
    held = await service.get(authorized)
    assert held.held.reason == "another amount"
    error = await error_of(service.stub.CapturePayment(capture_request(held)))
    assert (error.code, error.info.reason) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_HELD")

    without_note = service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(name=held.name))
    assert (await error_of(without_note)).fields == [("note", "TOO_SHORT")]
    release = service_pb.ReleasePaymentRequest(
        name=held.name, note="looked it up: it is right", etag=held.etag
    )
    service.plan_fault(Kind.DROP, "GET /v1/payment_intents", times=2)  # aiohttp repeats a GET
    assert await code_and_reason(service.stub.ReleasePayment(release)) == (
        StatusCode.UNAVAILABLE,
        "PROCESSOR_UNAVAILABLE",
    )
    released = await service.stub.ReleasePayment(release)
    assert (released.state, released.HasField("held")) == (pb.Payment.AUTHORIZED, False)
    request = service_pb.ListPaymentEventsRequest(parent=held.name)
    last = (await service.stub.ListPaymentEvents(request)).payment_events[-1]
    assert (last.type, last.note) == ("payment.released", "looked it up: it is right")
    again = service_pb.ReleasePaymentRequest(name=held.name, note="once more")
    assert await code_and_reason(service.stub.ReleasePayment(again)) == (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_STATE",
    )


# ---------------------------------------------------------------- update and delete


async def test_an_update_changes_the_fields_of_its_mask_and_sets_a_reference_once(
    service: RunningService,
) -> None:
    payment = await service.pay(description="a book", metadata={"k": "v"})
    changed = await service.stub.UpdatePayment(
        update_request(payment, "description", "reference", reference="A-1", etag=payment.etag)
    )
    assert (changed.description, changed.reference) == ("", "A-1")
    assert dict(changed.metadata) == {"k": "v"}
    again = service.stub.UpdatePayment(update_request(payment, reference="A-2"))
    assert await code_and_reason(again) == (StatusCode.FAILED_PRECONDITION, "REFERENCE_SET")
    other = await service.pay()
    taken = await error_of(service.stub.UpdatePayment(update_request(other, reference="A-1")))
    assert (taken.code, taken.info.reason) == (StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN")
    assert taken.resource.resource_name == payment.name


async def test_an_amount_is_never_updated(service: RunningService) -> None:
    request = update_request(await service.pay(), "amount", amount=euros(1))
    error = await error_of(service.stub.UpdatePayment(request))
    assert error.fields == [("update_mask", "MASK_PATH")]


async def test_a_failed_payment_is_deleted_and_undeleted_and_repeating_changes_nothing(
    service: RunningService,
) -> None:
    payment = await service.pay(payment_method="pm_card_visa_chargeDeclined")
    deletion = service_pb.DeletePaymentRequest(name=payment.name, etag=payment.etag)
    deleted = await service.stub.DeletePayment(deletion)
    assert deleted.HasField("delete_time")
    assert await service.stub.DeletePayment(deletion) == deleted
    assert await service.get(payment) == deleted
    update = service.stub.UpdatePayment(update_request(payment, description="x"))
    assert await code_and_reason(update) == (StatusCode.FAILED_PRECONDITION, "PAYMENT_DELETED")

    undeletion = service_pb.UndeletePaymentRequest(name=payment.name)
    undeleted = await service.stub.UndeletePayment(undeletion)
    assert not undeleted.HasField("delete_time")
    assert await service.stub.UndeletePayment(undeletion) == undeleted


async def test_a_charged_payment_is_not_deleted(service: RunningService) -> None:
    request = service_pb.DeletePaymentRequest(name=(await service.pay()).name)
    assert await code_and_reason(service.stub.DeletePayment(request)) == (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_STATE",
    )
