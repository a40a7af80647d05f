"""A Customer service to test with: real servers on the loopback, answering what a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import grpc
from grpc import StatusCode, aio
from oncepay.customer.v1 import customer_service_pb2
from oncepay.customer.v1.customer_pb2 import Customer

from payment.domain.values import CustomerName

SERVICE = customer_service_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


class CustomerStub:
    """One server. Who is not in `customers` is not found.

    Attributes:
        failures: codes to abort the next calls with, in order.
        calls: the metadata and the remaining seconds of each call.
    """

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.failures: list[StatusCode] = []
        self.calls: list[tuple[dict[str, Any], float]] = []
        self.address = ""

    def keep(self, customer: CustomerName, **said: Any) -> None:
        name = str(customer)
        usual: dict[str, Any] = {"name": name, "state": Customer.ACTIVE, "etag": '"1"'}
        self.customers[name] = Customer(**usual | said)

    async def _get(self, raw: bytes, context: aio.ServicerContext[Any, Any]) -> bytes:
        request = customer_service_pb2.GetCustomerRequest.FromString(raw)
        said = dict(context.invocation_metadata() or ())
        self.calls.append((said, context.time_remaining()))
        if self.failures:
            await context.abort(self.failures.pop(0), "as the test says")
        if request.name not in self.customers:
            await context.abort(StatusCode.NOT_FOUND, "there is none")
        return self.customers[request.name].SerializeToString()

    @asynccontextmanager
    async def serve(self, address: str = "127.0.0.1:0") -> AsyncIterator[Self]:
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
