"""A stub of the Customer service: real servers on the loopback that answer as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import grpc
from grpc import StatusCode, aio
from oncepay.customer.v1 import customer_service_pb2
from oncepay.customer.v1.customer_pb2 import Customer

from payment.domain.values import CustomerName

SERVICE = customer_service_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


class CustomerServiceStub:
    """One server.

    Attributes:
        customers: those that are found, by their names.
        failures: the codes that the next calls are aborted with, in order.
        calls: the metadata and the remaining seconds of each call.
        may_answer: while it is not set, calls wait.
    """

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.failures: list[StatusCode] = []
        self.calls: list[tuple[dict[str, Any], float]] = []
        self.address = ""
        self.called = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def add(self, customer: CustomerName, **fields: Any) -> None:
        """Add a customer; an active one, unless the fields say otherwise."""
        name = str(customer)
        active: dict[str, Any] = {"name": name, "state": Customer.ACTIVE, "etag": '"1"'}
        self.customers[name] = Customer(**active | fields)

    async def _get(self, raw: bytes, context: aio.ServicerContext[Any, Any]) -> bytes:
        request = customer_service_pb2.GetCustomerRequest.FromString(raw)
        metadata = dict(context.invocation_metadata() or ())
        self.calls.append((metadata, context.time_remaining()))
        self.called.set()
        await self.may_answer.wait()
        if self.failures:
            await context.abort(self.failures.pop(0), "as the test says")
        if request.name not in self.customers:
            await context.abort(StatusCode.NOT_FOUND, "there is none")
        return self.customers[request.name].SerializeToString()

    @asynccontextmanager
    async def serve(self, address: str = "127.0.0.1:0") -> AsyncIterator[Self]:
        """Serve until the block ends; `address` then has the port."""
        server = aio.server(options=(("grpc.so_reuseport", 0),))
        methods: dict[str, Any] = {"GetCustomer": grpc.unary_unary_rpc_method_handler(self._get)}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        port = server.add_insecure_port(address)
        self.address = f"127.0.0.1:{port}"
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)
