"""Requests about an existing payment, as a client sends them."""

from typing import Any
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb


def euros(minor_units: int) -> pb.Money:
    return pb.Money(minor_units=minor_units, currency_code="EUR")


def capture_request(
    payment: pb.Payment, request_id: str = "", **fields: Any
) -> service_pb.CapturePaymentRequest:
    request_id = request_id or str(uuid4())
    return service_pb.CapturePaymentRequest(name=payment.name, request_id=request_id, **fields)


def cancel_request(payment: pb.Payment, request_id: str = "") -> service_pb.CancelPaymentRequest:
    request_id = request_id or str(uuid4())
    return service_pb.CancelPaymentRequest(name=payment.name, request_id=request_id)


def refund_request(
    payment: pb.Payment, request_id: str = "", **fields: Any
) -> service_pb.CreateRefundRequest:
    return service_pb.CreateRefundRequest(
        parent=payment.name, refund=pb.Refund(**fields), request_id=request_id or str(uuid4())
    )


def update_request(
    payment: pb.Payment, *paths: str, **fields: Any
) -> service_pb.UpdatePaymentRequest:
    return service_pb.UpdatePaymentRequest(
        payment=pb.Payment(name=payment.name, **fields), update_mask=FieldMask(paths=paths)
    )
