"""Bad input, whatever can arrive: every field of every request, filled with what it should not be.

Never INTERNAL, never UNKNOWN, never a half-written row. Each case takes a request that works and
spoils one place of it, so that the wrong value is met behind right ones, deep in the service.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
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

from oncepay_cli.local import passwords
from oncepay_cli.local.installation import Installation

Result = TypeVar("Result")
Path = tuple[str, ...]

SERVICES = {
    "customer": customer_service_pb2.DESCRIPTOR.services_by_name["CustomerService"],
    "payment": payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
}
METHODS = {method.name: method for service in SERVICES.values() for method in service.methods}
DID_NOTHING = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # larger than a message may be
}
SOMEBODY = "01939c5e-0000-7000-8000-000000000000"

WORDS = [
    *("", " ", "\x00", "a\x00b", "\n", "\x1b[31m", "\x7f", "\u202e", "\ue000", "-", "*"),
    *("a" * 129, "a" * 1001, "é" * 300, "\U0001f4b3", "x" * 100_000, "x" * 300_000),
    *("4242424242424242", "4242 4242 4242 4242", "' OR 1=1 --", "%s%n{0}", "../../etc"),
    *("customers/", f"customers/{SOMEBODY}", f"customers/{SOMEBODY.upper()}"),
    *("payments/-", f"payments/{SOMEBODY}", f"payments/{SOMEBODY}/refunds/{SOMEBODY}"),
    *(SOMEBODY, "6f1ab1c5-1d1c-4a31-8c55-7c4f2f8e0a11", "0" * 36, '"1"', '"99999999999999999999"'),
    *("pm_card_visa", "pm_nobody_knows", "pm_card_visa_chargeDeclined"),
    *("pm_card_threeDSecure2Required", "EUR", "eur", "XTS", "KWD", "JPY", "USDD"),
    *("name@example.com", "a@b", "@", "a@@b.cc", "+4915112345678", "0151"),
    *("https://shop.example/", "javascript:alert(1)", "http://["),
    *('state = "ACTIVE"', "state = ", 'state = "NOPE"', "amount > 1", "held = maybe", "(((("),
    *('create_time >= "yesterday"', 'create_time < "9999-12-31T23:59:59.999999Z"'),
    *('create_time > "0001-01-01T00:00:00+23:59"', 'a = "' + "b" * 2000 + '"'),
    *('reference = "\x00"', "create_time", "create_time desc", "name", "create_time, name", "desc"),
]
"""What has broken programs before, and what has a meaning somewhere else here."""
TEXTS = st.text(max_size=50) | st.text(
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


def places(message: Descriptor, above: Path = ()) -> Iterator[Path]:
    """Every field of a message, as deep as it goes."""
    for field in message.fields:
        path = (*above, field.name)
        yield path
        if field.message_type is not None and not is_map(field) and not field.is_repeated:
            yield from places(field.message_type, path)


def field_at(message: Descriptor, path: Path) -> FieldDescriptor:
    field = message.fields_by_name[path[0]]
    if len(path) == 1:
        return field
    assert field.message_type is not None, "only a message has fields"
    return field_at(field.message_type, path[1:])


def certain(field: FieldDescriptor) -> list[Any]:
    """What is tried in a field every time; None clears it."""
    if is_map(field):
        crowd = {str(number): "x" for number in range(51)}
        return [None, crowd, *({word: "x"} for word in WORDS), *({"key": word} for word in WORDS)]
    if field.is_repeated:
        return [None, *([word] for word in WORDS)]
    if field.message_type is not None:
        return [None, "empty"]
    if field.type == FieldDescriptor.TYPE_STRING:
        return WORDS if is_read(field) else WORDS[:5]
    return NUMBERS[field.type]


def by_chance(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """What Hypothesis makes up for a field that holds text."""
    if is_map(field):
        return st.dictionaries(TEXTS, TEXTS, max_size=3)
    return st.lists(TEXTS, min_size=1, max_size=3) if field.is_repeated else TEXTS


def is_read(field: FieldDescriptor) -> bool:
    """Whether the service takes the field from a caller, and does not only write it."""
    options: Any = field.GetOptions()
    said = options.Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY not in said


def spoil(message: Message, path: Path, value: Any) -> None:
    """Put a value into a place, whatever was there."""
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
    for path in places(method.input_type)
]


@dataclass
class Breaker:
    """Calls the services, and counts what their databases hold."""

    house: Installation
    loop: asyncio.AbstractEventLoop
    channels: dict[str, grpc.Channel]
    books: dict[str, "asyncpg.Connection[asyncpg.Record]"]
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
        return ask(request, timeout=30)

    def make(self, name: str, request: Message, reply: Message) -> Any:
        reply.ParseFromString(self.call(name, request.SerializeToString()))
        return reply

    def request(self, name: str) -> Any:
        """A request of the method that works, or did before another case had its way."""
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
            request.note = "looked into it"
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

    def refill(self) -> None:
        """New things to call by name: the cases before may have deleted or refunded theirs."""
        create_customer = self.request("CreateCustomer")
        self.customer = self.make("CreateCustomer", create_customer, Customer()).name
        payment = self.make("CreatePayment", self.request("CreatePayment"), Payment())
        assert payment.state == Payment.SUCCEEDED
        self.payment = payment.name
        refund = Refund()
        self.refund = self.make("CreateRefund", self.request("CreateRefund"), refund).name

    def counted(self) -> tuple[int, ...]:
        """How much is written: it grows with every change, whatever it is."""
        customers = "SELECT count(*), coalesce(sum(version), 0) FROM customers"
        payments = """
            SELECT (SELECT count(*) FROM payments), (SELECT sum(version) FROM payments),
                   (SELECT count(*) FROM payment_events), (SELECT count(*) FROM refunds),
                   (SELECT sum(version) FROM refunds), (SELECT count(*) FROM requests)"""
        one = self.run(self.books["customer"].fetchrow(customers))
        other = self.run(self.books["payment"].fetchrow(payments))
        return (*one.values(), *other.values())  # type: ignore[union-attr]

    def half_written(self) -> list[str]:
        """The payments whose row, events, requests and refunds do not fit each other."""
        rows = self.run(
            self.books["payment"].fetch(
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
def breaker(house: Installation) -> Iterator[Breaker]:
    loop = asyncio.new_event_loop()
    secret = passwords.read(house.paths.secrets, passwords.SUPERUSER)
    books = {
        service: loop.run_until_complete(
            asyncpg.connect(
                host="127.0.0.1",
                port=house.ports.postgresql,
                user="postgres",
                password=secret,
                database=service,
            )
        )
        for service in SERVICES
    }
    channels = {
        "customer": grpc.insecure_channel(f"127.0.0.1:{house.ports.customer}"),
        "payment": grpc.insecure_channel(f"127.0.0.1:{house.ports.payment}"),
    }
    yield Breaker(house, loop, channels, books)
    for channel in channels.values():
        channel.close()
    for connection in books.values():
        loop.run_until_complete(connection.close())
    loop.close()


def check(breaker: Breaker, name: str, request: bytes) -> status_pb2.Status | None:
    """Call, and hold the answer and the books to the rules; the status of a refusal."""
    before = breaker.counted()
    try:
        breaker.call(name, request)
    except grpc.RpcError as error:
        assert error.code() in DID_NOTHING, f"{error.code()}: {error.details()}"
        assert breaker.counted() == before, "a refusal wrote something"
        status: status_pb2.Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]
        return status
    return None


@pytest.mark.parametrize(("name", "path"), CASES)
def test_whatever_a_field_holds_is_answered_or_refused_with_reason(
    breaker: Breaker, name: str, path: Path
) -> None:
    breaker.refill()
    field = field_at(METHODS[name].input_type, path)

    def spoiled(value: Any) -> None:
        request = breaker.request(name)
        spoil(request, path, value)
        status = check(breaker, name, request.SerializeToString())
        if status is not None and status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]:
            bad = error_details_pb2.BadRequest()
            assert any(detail.Unpack(bad) for detail in status.details)
            named = [violation.field for violation in bad.field_violations]
            assert named, "an invalid argument names its field"

    for value in certain(field):
        spoiled(value)
    if is_read(field) and (is_map(field) or field.type == FieldDescriptor.TYPE_STRING):
        made_up = settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        made_up(given(by_chance(field))(spoiled))()
    assert not breaker.half_written()


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(raw=st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_request_are_refused(breaker: Breaker, name: str, raw: bytes) -> None:
    check(breaker, name, raw)


@pytest.mark.parametrize("service", SERVICES)
def test_a_method_that_is_not_there_is_unimplemented(breaker: Breaker, service: str) -> None:
    path = f"/{SERVICES[service].full_name}/ChargeTwice"
    ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = breaker.channels[service].unary_unary(path)
    with pytest.raises(grpc.RpcError) as error:
        ask(b"", timeout=5)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
