"""A client without generated code registers and pays, by the addresses and server reflection alone."""

import uuid
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from oncepay_cli.local.installation import Installation

TIMEOUT_SECONDS = 120


def call(address: str, service: str, method: str, **request: Any) -> Any:
    """Call a method that is known by its name only."""
    with grpc.insecure_channel(address) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        found = pool.FindServiceByName(service).methods_by_name[method]
        message = GetMessageClass(found.input_type)(**request)
        decode = GetMessageClass(found.output_type).FromString
        invoke = channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=type(message).SerializeToString,
            response_deserializer=decode,
        )
        return invoke(message, timeout=TIMEOUT_SECONDS)


def test_a_client_without_generated_code_can_register_and_pay(stack: Installation) -> None:
    customer = call(
        f"127.0.0.1:{stack.ports.customer}",
        "oncepay.customer.v1.CustomerService",
        "CreateCustomer",
        customer={"display_name": "Grace", "email": f"{uuid.uuid4()}@example.com"},
    )
    payment = call(
        f"127.0.0.1:{stack.ports.payment}",
        "oncepay.payment.v1.PaymentService",
        "CreatePayment",
        request_id=str(uuid.uuid4()),
        payment={
            "customer": customer.name,
            "amount": {"minor_units": 4200, "currency_code": "EUR"},
            "payment_method": "pm_card_visa",
        },
    )
    states = payment.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
    assert states[payment.state].name == "SUCCEEDED"
    assert payment.amount_captured.minor_units == 4200
