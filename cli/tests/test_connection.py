"""Calls to a service that is away, slow to come back, or refuses: against a real gRPC server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from oncepay_cli import connection
from oncepay_cli.connection import CallFailed, call, call_once, connect

REQUEST = CreateCustomerRequest(request_id="5f0c6f0e-0000-4000-8000-000000000000")


class Service:
    """Answers what a test has planned, and remembers what it was asked."""

    def __init__(self, *answers: Customer | status_pb2.Status) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def create(self, request: CreateCustomerRequest, context: grpc.ServicerContext) -> Customer:
        self.asked.append(request.request_id)
        answer = self.answers.pop(0)
        if isinstance(answer, Customer):
            return answer
        context.abort_with_status(rpc_status.to_status(answer))
        raise AssertionError("abort raises")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_WAIT_SECONDS", 0.001)


@contextmanager
def serving(service: Service) -> Iterator[CustomerServiceStub]:
    server = grpc.server(ThreadPoolExecutor(1))
    create = grpc.unary_unary_rpc_method_handler(
        service.create, CreateCustomerRequest.FromString, Customer.SerializeToString
    )
    name = "oncepay.customer.v1.CustomerService"
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, {"CreateCustomer": create})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with connect(f"127.0.0.1:{port}") as channel:
            yield CustomerServiceStub(channel)
    finally:
        server.stop(None)


def status(code: int, message: str, *details: Message) -> status_pb2.Status:
    packed = []
    for detail in details:
        one = any_pb2.Any()
        one.Pack(detail)
        packed.append(one)
    return status_pb2.Status(code=code, message=message, details=packed)


AWAY = status(code_pb2.UNAVAILABLE, "the database is away")


def test_an_unavailable_service_is_asked_again_with_the_same_request_id() -> None:
    service = Service(AWAY, AWAY, Customer(name="customers/1"))
    with serving(service) as stub:
        assert call(stub.CreateCustomer, REQUEST).name == "customers/1"
    assert service.asked == [REQUEST.request_id] * 3


def test_it_is_asked_a_few_times_and_no_more() -> None:
    service = Service(*[AWAY] * 100)
    with serving(service) as stub, pytest.raises(CallFailed) as caught:
        call_once(stub.CreateCustomer, REQUEST, REQUEST.request_id)
    assert len(service.asked) == connection.ATTEMPTS
    assert f"--request-id {REQUEST.request_id}" in caught.value.__notes__[0]


def test_a_refusal_is_not_sent_again_and_names_field_rule_and_reason() -> None:
    failure = status(
        code_pb2.ALREADY_EXISTS,
        "another customer has this email",
        error_details_pb2.ErrorInfo(reason="EMAIL_TAKEN", domain="oncepay.customer"),
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field="customer.email", description="give another", reason="UNIQUE"
                )
            ]
        ),
        error_details_pb2.ResourceInfo(resource_name="customers/2"),
    )
    service = Service(failure)
    with serving(service) as stub, pytest.raises(CallFailed) as caught:
        call_once(stub.CreateCustomer, REQUEST, REQUEST.request_id)
    assert len(service.asked) == 1
    assert caught.value.reasons == ["EMAIL_TAKEN"]
    assert str(caught.value) == (
        "another customer has this email [EMAIL_TAKEN, ALREADY_EXISTS]\n"
        "  customer.email: give another [UNIQUE]\n"
        "  about: customers/2"
    )
    assert not hasattr(caught.value, "__notes__")


def test_where_nobody_listens_it_says_how_to_start(free_port: Callable[[], int]) -> None:
    failure = pytest.raises(CallFailed, match=r"Nobody answers there.*oncepay up")
    with connect(f"127.0.0.1:{free_port()}") as channel, failure:
        call(CustomerServiceStub(channel).CreateCustomer, REQUEST)


def test_a_proxy_of_the_shell_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with serving(Service(Customer(name="customers/1"))) as stub:
        assert call(stub.CreateCustomer, REQUEST).name == "customers/1"
