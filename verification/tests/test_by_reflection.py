"""A reader's trial: with plain gRPC and reflection alone, no generated code, register and pay."""

import uuid
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from oncepay_cli.local.installation import Installation


def call(address: str, service: str, method: str, **request: Any) -> Any:
    """Calls a method that is known by its name only."""
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
        return invoke(message, timeout=10)


def test_who_knows_only_the_addresses_can_register_and_pay(house: Installation) -> None:
    customer = call(
        f"127.0.0.1:{house.ports.customer}",
        "oncepay.customer.v1.CustomerService",
        "CreateCustomer",
        customer={"display_name": "Grace", "email": f"{uuid.uuid4()}@example.com"},
    )
    payment = call(
        f"127.0.0.1:{house.ports.payment}",
        "oncepay.payment.v1.PaymentService",
        "CreatePayment",
        request_id=str(uuid.uuid4()),
        payment={
            "customer": customer.name,
            "amount": {"minor_units": 4200, "currency_code": "EUR"},
            "payment_method": "pm_card_visa",
        },
    )
    assert (
        payment.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[payment.state].name
        == "SUCCEEDED"
    )
    assert payment.amount_captured.minor_units == 4200
