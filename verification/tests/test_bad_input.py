"""Bad input: every field of every request, filled with values that have broken programs before.

Never INTERNAL, never UNKNOWN, never a half-written row. Each case takes a valid request and replaces
one field of it, so that the bad value is met behind good ones, deep in the service.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import grpc
import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oncepay.customer.v1 import customer_service_pb2
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.payment.v1 import payment_service_pb2
from oncepay.payment.v1.payment_pb2 import Money, Payment, Refund

from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation
from verification.local_stack import Connection, postgresql, superuser_connection

Result = TypeVar("Result")
FieldPath = tuple[str, ...]

SERVICES = {
    "customer": customer_service_pb2.DESCRIPTOR.services_by_name["CustomerService"],
    "payment": payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
}
METHODS = {method.name: method for service in SERVICES.values() for method in service.methods}
TIMEOUT_SECONDS = 120
"""A bound for a busy machine; the services answer within 10 s by themselves."""
DEFINITE_ERRORS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # larger than a message may be
}
UNKNOWN_ID = "01939c5e-0000-7000-8000-000000000000"

BAD_TEXTS = [
    *("", " ", "\x00", "a\x00b", "\n", "\x1b[31m", "\x7f", "\u202e", "\ue000", "-", "*"),
    *("a" * 129, "a" * 1001, "é" * 300, "\U0001f4b3", "x" * 100_000, "x" * 300_000),
    *("4242424242424242", "4242 4242 4242 4242", "' OR 1=1 --", "%s%n{0}", "../../etc"),
    *("customers/", f"customers/{UNKNOWN_ID}", f"customers/{UNKNOWN_ID.upper()}"),
    *("payments/-", f"payments/{UNKNOWN_ID}", f"payments/{UNKNOWN_ID}/refunds/{UNKNOWN_ID}"),
    *(
        UNKNOWN_ID,
        "6f1ab1c5-1d1c-4a31-8c55-7c4f2f8e0a11",
        "0" * 36,
        '"1"',
        '"99999999999999999999"',
    ),
    *("pm_card_visa", "pm_nobody_knows", "pm_card_visa_chargeDeclined"),
    *("pm_card_threeDSecure2Required", "EUR", "eur", "XTS", "KWD", "JPY", "USDD"),
    *("name@example.com", "a@b", "@", "a@@b.cc", "+4915112345678", "0151"),
    *("https://shop.example/", "javascript:alert(1)", "http://["),
    *('state = "ACTIVE"', "state = ", 'state = "NOPE"', "amount > 1", "held = maybe", "(((("),
    *('create_time >= "yesterday"', 'create_time < "9999-12-31T23:59:59.999999Z"'),
    *('create_time > "0001-01-01T00:00:00+23:59"', 'a = "' + "b" * 2000 + '"'),
    *('reference = "\x00"', "create_time", "create_time desc", "name", "create_time, name", "desc"),
]
"""What has broken programs before, and what is valid in another field."""
RANDOM_TEXTS = st.text(max_size=50) | st.text(
    st.characters(categories=["Cc", "Cf", "Co", "Zl", "Zp", "Mn"]), max_size=20
)
NUMBERS: dict[int, list[Any]] = {
    FieldDescriptor.TYPE_INT32: [0, 1, -1, 50, 1000, 1001, 2**31 - 1, -(2**31)],
    FieldDescriptor.TYPE_INT64: [0, 1, -1, 10**12 - 1, 10**12, 2**63 - 1, -(2**63)],
    FieldDescriptor.TYPE_BOOL: [False, True],
    FieldDescriptor.TYPE_ENUM: [0, 1, 2, 3, 99, -1, 2**31 - 1],
}


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def field_paths(message: Descriptor, above: FieldPath = ()) -> Iterator[FieldPath]:
    """Every field of a message and of its messages."""
    for field in message.fields:
        path = (*above, field.name)
        yield path
        if field.message_type is not None and not is_map(field) and not field.is_repeated:
            yield from field_paths(field.message_type, path)


def field_at(message: Descriptor, path: FieldPath) -> FieldDescriptor:
    field = message.fields_by_name[path[0]]
    if len(path) == 1:
        return field
    assert field.message_type is not None, "only a message has fields"
    return field_at(field.message_type, path[1:])


def bad_values(field: FieldDescriptor) -> list[Any]:
    """What is tried in a field in each run; None clears it."""
    if is_map(field):
        too_many = {str(number): "x" for number in range(51)}
        return [
            None,
            too_many,
            *({word: "x"} for word in BAD_TEXTS),
            *({"key": word} for word in BAD_TEXTS),
        ]
    if field.is_repeated:
        return [None, *([word] for word in BAD_TEXTS)]
    if field.message_type is not None:
        return [None, "empty"]
    if field.type == FieldDescriptor.TYPE_STRING:
        return BAD_TEXTS if is_input(field) else BAD_TEXTS[:5]
    return NUMBERS[field.type]


def random_values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """What Hypothesis generates for a field that holds text."""
    if is_map(field):
        return st.dictionaries(RANDOM_TEXTS, RANDOM_TEXTS, max_size=3)
    return st.lists(RANDOM_TEXTS, min_size=1, max_size=3) if field.is_repeated else RANDOM_TEXTS


def is_input(field: FieldDescriptor) -> bool:
    """Whether the service reads the field from a caller: it is not OUTPUT_ONLY."""
    options: Any = field.GetOptions()
    behavior = options.Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY not in behavior


def replace_field(message: Message, path: FieldPath, value: Any) -> None:
    """Set a field of a message, whatever it held."""
    for part in path[:-1]:
        inner = getattr(message, part)
        inner.SetInParent()
        message = inner
    name = path[-1]
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    message.ClearField(name)
    if value is None:
        return
    if is_map(field):
        getattr(message, name).update(value)
    elif field.is_repeated:
        getattr(message, name).extend(value)
    elif field.message_type is not None:
        getattr(message, name).SetInParent()
    else:
        setattr(message, name, value)


CASES = [
    pytest.param(name, path, id=f"{name}-{'.'.join(path)}")
    for name, method in METHODS.items()
    for path in field_paths(method.input_type)
]


@dataclass
class Services:
    """Calls both services, and counts what their databases hold."""

    loop: asyncio.AbstractEventLoop
    channels: dict[str, grpc.Channel]
    databases: dict[str, Connection]
    customer: str = ""
    payment: str = ""
    refund: str = ""

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    def call(self, name: str, request: bytes) -> bytes:
        """One call, bytes in and out; the first message of a stream."""
        method = METHODS[name]
        service = "payment" if "payment" in method.full_name else "customer"
        path = f"/{method.containing_service.full_name}/{method.name}"
        if method.server_streaming:
            watch: grpc.UnaryStreamMultiCallable[bytes, bytes]
            watch = self.channels[service].unary_stream(path)
            stream = watch(request, timeout=1)
            try:
                return next(iter(stream), b"")
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:  # nothing wrong, no event
                    return b""
                raise
            finally:
                stream.cancel()
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        ask = self.channels[service].unary_unary(path)
        return ask(request, timeout=TIMEOUT_SECONDS)

    def make(self, name: str, request: Message, reply: Message) -> Any:
        reply.ParseFromString(self.call(name, request.SerializeToString()))
        return reply

    def request(self, name: str) -> Any:
        """A valid request of the method; `create_resources` makes what it names."""
        kind = METHODS[name].input_type
        module = payment_service_pb2 if "payment" in kind.full_name else customer_service_pb2
        request = getattr(module, kind.name)()
        fields = kind.fields_by_name
        if "request_id" in fields:
            request.request_id = str(uuid4())
        if "name" in fields:
            request.name = {"Refund": self.refund}.get(
                name[3:], self.payment if "payment" in kind.full_name else self.customer
            )
        if "parent" in fields:
            request.parent = self.payment
        if name == "CreateCustomer":
            request.customer.CopyFrom(self.new_customer())
        if name == "CreatePayment":
            request.payment.CopyFrom(self.new_payment())
        if name == "UpdateCustomer":
            request.customer.CopyFrom(self.new_customer())
            request.customer.name = self.customer
            request.update_mask.paths.append("*")
        if name == "UpdatePayment":
            request.payment.name = self.payment
            request.payment.description = "two chairs"
        if name == "CreateRefund":
            request.refund.amount.CopyFrom(Money(minor_units=1, currency_code="EUR"))
        if name == "ReleasePayment":
            request.note = "reviewed"
        return request

    def new_customer(self) -> Customer:
        return Customer(
            display_name="Ada",
            email=f"{uuid4()}@example.com",
            phone="+4915112345678",
            metadata={"colour": "red"},
        )

    def new_payment(self) -> Payment:
        return Payment(
            customer=self.customer,
            amount=Money(minor_units=1000, currency_code="EUR"),
            payment_method="pm_card_visa",
            metadata={"colour": "red"},
        )

    def create_resources(self) -> None:
        """A new customer, payment and refund: earlier cases may have deleted or refunded theirs."""
        create_customer = self.request("CreateCustomer")
        self.customer = self.make("CreateCustomer", create_customer, Customer()).name
        payment = self.make("CreatePayment", self.request("CreatePayment"), Payment())
        assert payment.state == Payment.SUCCEEDED
        self.payment = payment.name
        refund = Refund()
        self.refund = self.make("CreateRefund", self.request("CreateRefund"), refund).name

    def rows_written(self) -> tuple[int, ...]:
        """Counts of rows and versions, which grow with every change."""
        customers = "SELECT count(*), coalesce(sum(version), 0) FROM customers"
        payments = """
            SELECT (SELECT count(*) FROM payments), (SELECT sum(version) FROM payments),
                   (SELECT count(*) FROM payment_events), (SELECT count(*) FROM refunds),
                   (SELECT sum(version) FROM refunds), (SELECT count(*) FROM requests)"""
        first = self.run(self.databases["customer"].fetchrow(customers))
        second = self.run(self.databases["payment"].fetchrow(payments))
        return (*first.values(), *second.values())  # type: ignore[union-attr]

    def inconsistent_payments(self) -> list[str]:
        """The payments whose row, events, requests and refunds do not fit each other."""
        rows = self.run(
            self.databases["payment"].fetch(
                """
                SELECT p.id FROM payments p
                 WHERE version <> (SELECT count(*) FROM payment_events e WHERE payment_id = p.id)
                    OR version <> (SELECT max(sequence) FROM payment_events e WHERE payment_id = p.id)
                    OR amount_refunded <> (SELECT coalesce(sum(amount), 0) FROM refunds r
                                            WHERE payment_id = p.id AND state <> 'FAILED')
                    OR EXISTS (SELECT FROM refunds r WHERE payment_id = p.id AND NOT EXISTS
                                (SELECT FROM requests q WHERE q.refund_id = r.id))"""
            )
        )
        return [str(row["id"]) for row in rows]


@pytest.fixture(scope="session")
def services(stack: Installation) -> Iterator[Services]:
    loop = asyncio.new_event_loop()
    server = postgresql(stack.paths, stack.ports.postgresql)
    ports = {"customer": stack.ports.customer, "payment": stack.ports.payment}
    open_connections = AsyncExitStack()
    databases = {
        service: loop.run_until_complete(
            open_connections.enter_async_context(superuser_connection(server, service))
        )
        for service in SERVICES
    }
    channels = {service: grpc.insecure_channel(f"{HOST}:{port}") for service, port in ports.items()}
    yield Services(loop, channels, databases)
    for channel in channels.values():
        channel.close()
    loop.run_until_complete(open_connections.aclose())
    loop.close()


def check(services: Services, name: str, request: bytes) -> status_pb2.Status | None:
    """Call, and check the answer and the databases; the status of an error."""
    before = services.rows_written()
    try:
        services.call(name, request)
    except grpc.RpcError as error:
        assert error.code() in DEFINITE_ERRORS, f"{error.code()}: {error.details()}"
        assert services.rows_written() == before, "an error was answered, and something was written"
        status: status_pb2.Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]
        return status
    return None


@pytest.mark.parametrize(("name", "path"), CASES)
def test_a_bad_value_in_any_field_is_answered_or_refused_with_the_fields_name(
    services: Services, name: str, path: FieldPath
) -> None:
    services.create_resources()
    field = field_at(METHODS[name].input_type, path)

    def send(value: Any) -> None:
        request = services.request(name)
        replace_field(request, path, value)
        status = check(services, name, request.SerializeToString())
        if status is not None and status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]:
            bad = error_details_pb2.BadRequest()
            assert any(detail.Unpack(bad) for detail in status.details)
            named = [violation.field for violation in bad.field_violations]
            assert named, "INVALID_ARGUMENT names its field"

    for value in bad_values(field):
        send(value)
    if is_input(field) and (is_map(field) or field.type == FieldDescriptor.TYPE_STRING):
        generated = settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        generated(given(random_values(field))(send))()
    assert not services.inconsistent_payments()


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(raw=st.binary(min_size=1, max_size=200))
def test_random_bytes_are_refused(services: Services, name: str, raw: bytes) -> None:
    check(services, name, raw)


@pytest.mark.parametrize("service", SERVICES)
def test_an_unknown_method_is_unimplemented(services: Services, service: str) -> None:
    path = f"/{SERVICES[service].full_name}/ChargeTwice"
    ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = services.channels[service].unary_unary(path)
    with pytest.raises(grpc.RpcError) as error:
        ask(b"", timeout=TIMEOUT_SECONDS)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
