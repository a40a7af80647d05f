"""Every method with an unknown or invalid name, and with an outdated etag."""

from typing import Any
from uuid import uuid4

from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.api_requests import (
    cancel_request,
    capture_request,
    refund_request,
    update_request,
)
from support.running_service import RunningService, code_and_reason, error_of

from chassis.identifiers import uuid7

UNKNOWN_NAME = "payments/01939c5e-0000-7000-8000-00000000dead"


async def test_every_method_that_changes_a_payment_refuses_the_etag_of_another_version(
    service: RunningService,
) -> None:
    payment = await service.pay(capture_method=pb.Payment.MANUAL)
    fields: dict[str, Any] = {"name": payment.name, "etag": '"99"'}
    with_request_id = fields | {"request_id": str(uuid4())}
    for call in (
        service.stub.UpdatePayment(update_request(payment, description="x", etag='"99"')),
        service.stub.DeletePayment(service_pb.DeletePaymentRequest(**fields)),
        service.stub.UndeletePayment(service_pb.UndeletePaymentRequest(**fields)),
        service.stub.CapturePayment(service_pb.CapturePaymentRequest(**with_request_id)),
        service.stub.CancelPayment(service_pb.CancelPaymentRequest(**with_request_id)),
        service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(**fields, note="x")),
    ):
        assert await code_and_reason(call) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await service.get(payment) == payment


async def test_every_method_about_a_payment_does_not_find_an_unknown_one(
    service: RunningService,
) -> None:
    unknown = pb.Payment(name=UNKNOWN_NAME)
    for call in (
        service.stub.GetPayment(service_pb.GetPaymentRequest(name=UNKNOWN_NAME)),
        service.stub.UpdatePayment(update_request(unknown, description="x")),
        service.stub.DeletePayment(service_pb.DeletePaymentRequest(name=UNKNOWN_NAME)),
        service.stub.UndeletePayment(service_pb.UndeletePaymentRequest(name=UNKNOWN_NAME)),
        service.stub.CapturePayment(capture_request(unknown)),
        service.stub.CancelPayment(cancel_request(unknown)),
        service.stub.ReleasePayment(service_pb.ReleasePaymentRequest(name=UNKNOWN_NAME, note="x")),
        service.stub.CreateRefund(refund_request(unknown)),
        service.stub.ListRefunds(service_pb.ListRefundsRequest(parent=UNKNOWN_NAME)),
        service.stub.ListPaymentEvents(service_pb.ListPaymentEventsRequest(parent=UNKNOWN_NAME)),
        service.watch(UNKNOWN_NAME).read(),
    ):
        error = await error_of(call)
        assert (error.code, error.info.reason) == (StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND")
        assert error.resource.resource_name == UNKNOWN_NAME


async def test_an_unknown_refund_is_not_found(service: RunningService) -> None:
    request = service_pb.GetRefundRequest(name=f"{UNKNOWN_NAME}/refunds/{uuid7()}")
    assert await code_and_reason(service.stub.GetRefund(request)) == (
        StatusCode.NOT_FOUND,
        "REFUND_NOT_FOUND",
    )


async def test_an_invalid_name_is_refused_by_its_field(service: RunningService) -> None:
    for call, field in (
        (service.stub.GetPayment(service_pb.GetPaymentRequest(name="payments/-")), "name"),
        (service.stub.GetRefund(service_pb.GetRefundRequest(name=UNKNOWN_NAME)), "name"),
        (service.stub.ListRefunds(service_pb.ListRefundsRequest(parent="payments/-")), "parent"),
    ):
        assert (await error_of(call)).fields == [(field, "RESOURCE_NAME")]
