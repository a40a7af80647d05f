"""Every field that a caller may send is stored, returned, compared on a retry, changed and erased.

The tests read the contracts, so a new field fails here until it is served as its comment says: it
needs two values in VALUES, and the code behind it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from oncepay.customer.v1 import customer_pb2, customer_service_pb2
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1 import payment_pb2, payment_service_pb2
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from verification.client import call

if TYPE_CHECKING:
    from oncepay_cli.local.installation import Installation

CONTRACTS = Path(__file__).parents[2] / "protobuf" / "oncepay"
MODULES = (customer_pb2, customer_service_pb2, payment_pb2, payment_service_pb2)
METHODS: dict[str, MethodDescriptor] = {
    method.name: method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
WITH_A_REQUEST_ID = [
    name for name, method in METHODS.items() if "request_id" in method.input_type.fields_by_name
]
UNCOMPARED = {"request_id", "etag"}
"""An etag is a condition of the call, not its content: it may differ on a retry."""

KEPT_AFTER_ERASURE = {"reference", "state"}

VALUES: dict[str, dict[str, tuple[Any, Any]]] = {
    "Customer": {
        "display_name": ("Ada", "Grace"),
        "email": ("{unique}@example.com", "{unique}@example.org"),
        "phone": ("+4915112345678", "+442071234567"),
        "reference": ("{unique}", "{unique}-2"),
        "metadata": ({"a": "b"}, {"a": "c"}),
        "state": (customer_pb2.Customer.ACTIVE, customer_pb2.Customer.BLOCKED),
    },
    "Payment": {
        "customer": ("{customer}", "{other_customer}"),
        "amount.minor_units": (1000, 1001),
        "amount.currency_code": ("EUR", "USD"),
        "payment_method": ("pm_card_visa", "pm_card_mastercard"),
        "capture_method": (payment_pb2.Payment.MANUAL, payment_pb2.Payment.AUTOMATIC),
        "return_url": ("https://example.com/a", "https://example.com/b"),
        "description": ("two chairs", "three chairs"),
        "reference": ("{unique}", "{unique}-2"),
        "metadata": ({"a": "b"}, {"a": "c"}),
    },
    "Refund": {
        "amount.minor_units": (10, 11),
        "amount.currency_code": ("EUR", "USD"),
        "reason": (payment_pb2.Refund.DUPLICATE, payment_pb2.Refund.FRAUDULENT),
    },
    "CapturePaymentRequest": {
        "name": ("{authorized}", "{other_authorized}"),
        "amount.minor_units": (10, 11),
        "amount.currency_code": ("EUR", "USD"),
    },
    "CancelPaymentRequest": {"name": ("{authorized}", "{other_authorized}")},
    "CreateRefundRequest": {"parent": ("{captured}", "{other_captured}")},
}
"""Two values of each field that a caller may send; {...} is made anew for each request."""


def is_written_by_callers(field: FieldDescriptor) -> bool:
    return not behaviors(field) & {"OUTPUT_ONLY", "IDENTIFIER"} and field.name not in UNCOMPARED


def behaviors(field: FieldDescriptor) -> set[str]:
    options: Any = field.GetOptions()
    kinds = options.Extensions[field_behavior_pb2.field_behavior]
    return {field_behavior_pb2.FieldBehavior.Name(kind) for kind in kinds}


def paths(message: Descriptor, prefix: str = "") -> Iterator[str]:
    """The fields that a caller may send, as paths; `amount.minor_units` within a message."""
    for field in message.fields:
        if not is_written_by_callers(field):
            continue
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            yield prefix + field.name
        else:
            yield from paths(inner, f"{prefix}{field.name}.")


def resource(method: str) -> FieldDescriptor:
    """The resource in a request to create or to update one."""
    name = re.sub("^(Create|Update)", "", method)
    return METHODS[method].input_type.fields_by_name[name.lower()]


def put(message: Any, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if isinstance(value, dict):
        message.ClearField(name)
        getattr(message, name).update(value)
    else:
        setattr(message, name, value)


def get(message: Any, path: str) -> Any:
    for name in path.split("."):
        message = getattr(message, name)
    return dict(message) if hasattr(message, "items") else message


class Client:
    """Calls both services, and makes what a request needs."""

    def __init__(self, stack: "Installation") -> None:
        self.channels = [
            grpc.insecure_channel(f"127.0.0.1:{port}")
            for port in (stack.ports.customer, stack.ports.payment)
        ]
        stubs: Any = (CustomerServiceStub(self.channels[0]), PaymentServiceStub(self.channels[1]))
        self.stubs = stubs

    def call(self, method: str, request: Message) -> Any:
        stub = next(stub for stub in self.stubs if hasattr(stub, method))
        return getattr(stub, method)(request, timeout=120)

    def request(self, method: str, **fields: Any) -> Any:
        name = METHODS[method].input_type.name
        module = next(module for module in MODULES if hasattr(module, name))
        return getattr(module, name)(**fields)

    def filled(self, method: str) -> Any:
        """A request with the first value of every field that a caller may send."""
        request = self.request(method, request_id=str(uuid4()))
        made: dict[str, str] = {}
        for path in paths(METHODS[method].input_type):
            put(request, path, self.value(method, path, 0, made))
        return request

    def value(self, method: str, path: str, which: int, made: dict[str, str]) -> Any:
        """A value of a field; `made` has what {...} stands for in this request."""
        message, field = METHODS[method].input_type, path
        head, _, rest = path.partition(".")
        inner = message.fields_by_name[head].message_type
        if inner is not None and inner.name in VALUES:
            message, field = inner, rest
        value = VALUES[message.name][field][which]
        if isinstance(value, str):
            for placeholder in re.findall(r"{(\w+)}", value):
                if placeholder not in made:
                    made[placeholder] = self.make(placeholder)
                value = value.replace(f"{{{placeholder}}}", made[placeholder])
        return value

    def make(self, placeholder: str) -> str:
        if placeholder == "unique":
            return str(uuid4())
        if placeholder.endswith("customer"):
            return str(self.call("CreateCustomer", self.filled("CreateCustomer")).name)
        payment = self.filled("CreatePayment")
        if placeholder.endswith("captured"):
            payment.payment.capture_method = payment_pb2.Payment.AUTOMATIC
        return str(self.call("CreatePayment", payment).name)

    def refusal(self, method: str, request: Message) -> str:
        """The reason for which a call is refused."""
        stub = next(stub for stub in self.stubs if hasattr(stub, method))
        answer = call(getattr(stub, method), request)
        assert answer.code is not grpc.StatusCode.OK
        return answer.reason or "a rule"


@pytest.fixture(scope="module")
def client(stack: "Installation") -> Iterator[Client]:
    client = Client(stack)
    yield client
    for channel in client.channels:
        channel.close()


CREATED = [
    (method, path)
    for method in ("CreateCustomer", "CreatePayment", "CreateRefund")
    for path in paths(resource(method).message_type)  # type: ignore[arg-type]
]
COMPARED = [
    (method, path) for method in WITH_A_REQUEST_ID for path in paths(METHODS[method].input_type)
]
UPDATED = [
    (method, field.name)
    for method in ("UpdateCustomer", "UpdatePayment")
    for field in resource(method).message_type.fields  # type: ignore[union-attr]
    if is_written_by_callers(field) and "IMMUTABLE" not in behaviors(field)
]


@pytest.mark.parametrize(("method", "path"), CREATED)
def test_what_a_caller_sends_is_stored_and_returned(client: Client, method: str, path: str) -> None:
    request = client.filled(method)
    sent = get(getattr(request, resource(method).name), path)
    created = client.call(method, request)
    assert get(created, path) == sent
    reading = method.replace("Create", "Get")
    read = client.call(reading, client.request(reading, name=created.name))
    assert get(read, path) == sent


@pytest.mark.parametrize(("method", "path"), COMPARED)
def test_a_retry_with_another_value_is_rejected(client: Client, method: str, path: str) -> None:
    """Otherwise a caller would take the first request's result for the second's."""
    request = client.filled(method)
    client.call(method, request)
    put(request, path, client.value(method, path, 1, {}))
    assert client.refusal(method, request) == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(("method", "name"), UPDATED)
def test_what_can_be_changed_is_changed(client: Client, method: str, name: str) -> None:
    creating = method.replace("Update", "Create")
    creation = client.filled(creating)
    if method == "UpdatePayment":  # a reference is set once
        creation.payment.ClearField("reference")
    created = client.call(creating, creation)
    path = f"{resource(method).name}.{name}"
    value = client.value(creating, path, 1, {})
    request = client.request(method)
    getattr(request, resource(method).name).name = created.name
    put(request, path, value)
    request.update_mask.paths.append(name)
    assert get(client.call(method, request), name) == value


@pytest.mark.parametrize("name", [name for method, name in UPDATED if method == "UpdateCustomer"])
def test_what_is_personal_is_gone_after_erasure(client: Client, name: str) -> None:
    customer = client.call("CreateCustomer", client.filled("CreateCustomer"))
    client.call("EraseCustomer", client.request("EraseCustomer", name=customer.name))
    erased = client.call("GetCustomer", client.request("GetCustomer", name=customer.name))
    is_there = bool(get(erased, name))
    assert is_there == (name in KEPT_AFTER_ERASURE)


# ---------------------------------------------------------------- the lists in the comments


def comment_of(file: str, before: str) -> str:
    """The comment above a line of a contract."""
    lines = (CONTRACTS / file).read_text().splitlines()
    end = next(number for number, line in enumerate(lines) if line.strip().startswith(before))
    begin = end
    while lines[begin - 1].strip().startswith("//"):
        begin -= 1
    return " ".join(line.strip().removeprefix("// ") for line in lines[begin:end])


def words(comment: str) -> set[str]:
    return set(re.findall(r"\w+", comment))


def test_the_comment_of_erase_customer_names_what_is_erased() -> None:
    comment = comment_of("customer/v1/customer_service.proto", "rpc EraseCustomer(")
    personal = {name for method, name in UPDATED if method == "UpdateCustomer"} - KEPT_AFTER_ERASURE
    assert personal <= words(comment)


@pytest.mark.parametrize("method", ["UpdateCustomer", "UpdatePayment"])
def test_the_comment_of_a_mask_names_what_can_be_changed(method: str) -> None:
    service = METHODS[method].containing_service.file.name.removeprefix("oncepay/")
    text = (CONTRACTS / service).read_text().split(f"message {method}Request {{")[1]
    comment = text.split("google.protobuf.FieldMask")[0]
    assert {name for updating, name in UPDATED if updating == method} <= words(comment)
