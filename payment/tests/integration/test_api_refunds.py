"""Refunds, as clients of the running service see them."""

from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.api_requests import capture_request, euros, refund_request
from support.running_service import RunningService, code_and_reason, error_of


async def test_a_refund_is_made_once_however_often_the_request_is_sent(
    service: RunningService,
) -> None:
    payment = await service.pay()
    request = refund_request(payment, amount=euros(400), reason=pb.Refund.REQUESTED_BY_CUSTOMER)
    refund = await service.stub.CreateRefund(request)
    assert refund.name.startswith(f"{payment.name}/refunds/")
    assert (refund.state, refund.amount) == (pb.Refund.SUCCEEDED, euros(400))
    assert refund.reason == pb.Refund.REQUESTED_BY_CUSTOMER
    assert refund.processor_id.startswith("re_")
    assert await service.stub.CreateRefund(request) == refund
    assert (await service.get(payment)).amount_refunded == euros(400)
    get_request = service_pb.GetRefundRequest(name=refund.name)
    assert await service.stub.GetRefund(get_request) == refund


async def test_a_used_request_id_with_another_content_is_refused(service: RunningService) -> None:
    payment = await service.pay()
    request = refund_request(payment, amount=euros(400))
    await service.stub.CreateRefund(request)
    other_content = refund_request(payment, request.request_id, amount=euros(1))
    _, reason = await code_and_reason(service.stub.CreateRefund(other_content))
    assert reason == "REQUEST_ID_REUSED"


async def test_refunds_never_exceed_what_was_captured(service: RunningService) -> None:
    payment = await service.pay()
    first = await service.stub.CreateRefund(refund_request(payment, amount=euros(400)))
    for amount in (euros(601), pb.Money(minor_units=1, currency_code="USD")):
        error = await error_of(service.stub.CreateRefund(refund_request(payment, amount=amount)))
        assert error.info.reason == "AMOUNT_TOO_LARGE"
        assert error.info.metadata["maximum"] == "600"
    rest = await service.stub.CreateRefund(refund_request(payment))
    assert rest.amount == euros(600)
    assert await code_and_reason(service.stub.CreateRefund(refund_request(payment))) == (
        StatusCode.FAILED_PRECONDITION,
        "AMOUNT_TOO_LARGE",
    )
    request = service_pb.ListRefundsRequest(parent=payment.name)
    assert list((await service.stub.ListRefunds(request)).refunds) == [rest, first]


async def test_an_amount_that_the_processors_units_cannot_express_is_refused_by_its_field(
    service: RunningService,
) -> None:
    ten_dinars = pb.Money(minor_units=10_000, currency_code="KWD")
    part = pb.Money(minor_units=1_001, currency_code="KWD")
    authorized = await service.pay(amount=ten_dinars, capture_method=pb.Payment.MANUAL)
    error = await error_of(service.stub.CapturePayment(capture_request(authorized, amount=part)))
    assert error.fields == [("amount.minor_units", "REFUSED_BY_PROCESSOR")]
    captured = await service.stub.CapturePayment(capture_request(authorized))
    error = await error_of(service.stub.CreateRefund(refund_request(captured, amount=part)))
    assert error.fields == [("refund.amount.minor_units", "REFUSED_BY_PROCESSOR")]
