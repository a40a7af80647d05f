"""Calls to a service that is unavailable, restarts or rejects them, against a real gRPC server."""

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
    """Returns planned replies and records the request_ids of the calls."""

    def __init__(self, *replies: Customer | status_pb2.Status) -> None:
        self.replies = list(replies)
        self.request_ids: list[str] = []

    def create(self, request: CreateCustomerRequest, context: grpc.ServicerContext) -> Customer:
        self.request_ids.append(request.request_id)
        reply = self.replies.pop(0)
        if isinstance(reply, Customer):
            return reply
        context.abort_with_status(rpc_status.to_status(reply))
        raise AssertionError("abort raises")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
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
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code, message=message, details=packed)


UNAVAILABLE = status(code_pb2.UNAVAILABLE, "the database is unavailable")


def test_a_call_is_retried_with_the_same_request_id_while_the_service_is_unavailable() -> None:
    service = Service(UNAVAILABLE, UNAVAILABLE, Customer(name="customers/1"))
    with serving(service) as stub:
        assert call(stub.CreateCustomer, REQUEST).name == "customers/1"
    assert service.request_ids == [REQUEST.request_id] * 3


def test_the_number_of_attempts_is_bounded_and_the_error_says_how_to_repeat_the_request() -> None:
    service = Service(*[UNAVAILABLE] * 100)
    with serving(service) as stub, pytest.raises(CallFailed) as caught:
        call_once(stub.CreateCustomer, REQUEST, REQUEST.request_id)
    assert len(service.request_ids) == connection.MAX_ATTEMPTS
    assert f"--request-id {REQUEST.request_id}" in caught.value.__notes__[0]


def test_a_rejected_call_is_not_retried_and_the_error_has_reason_field_and_resource() -> None:
    rejection = status(
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
    service = Service(rejection)
    with serving(service) as stub, pytest.raises(CallFailed) as caught:
        call_once(stub.CreateCustomer, REQUEST, REQUEST.request_id)
    assert len(service.request_ids) == 1
    assert caught.value.reasons == ["EMAIL_TAKEN"]
    assert str(caught.value) == (
        "another customer has this email [EMAIL_TAKEN, ALREADY_EXISTS]\n"
        "  customer.email: give another [UNIQUE]\n"
        "  resource: customers/2"
    )
    assert not hasattr(caught.value, "__notes__")


def test_the_error_for_a_service_that_does_not_run_says_how_to_start_it(
    free_port: Callable[[], int],
) -> None:
    error = pytest.raises(CallFailed, match=r"does not answer.*oncepay up")
    with connect(f"127.0.0.1:{free_port()}") as channel, error:
        call(CustomerServiceStub(channel).CreateCustomer, REQUEST)


def test_calls_do_not_go_through_a_proxy_of_the_shell(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with serving(Service(Customer(name="customers/1"))) as stub:
        assert call(stub.CreateCustomer, REQUEST).name == "customers/1"
