"""Asks the Customer service about a customer, over gRPC. Without a clear answer nobody pays."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from grpc import StatusCode, aio
from oncepay.customer.v1 import customer_pb2
from oncepay.customer.v1 import customer_service_pb2 as service_pb2
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from chassis import call
from chassis.telemetry import log
from payment.domain.customer import Customer, CustomerStatus
from payment.domain.values import CustomerName

SECONDS = 2.0
"""How long one look may take, its retries included. It is passed with each call: the time-out of
a service config fires at random (grpc/grpc issues 40633 and 34547).
"""
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": service_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name}
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # A replica that stops cancels what had not yet reached its servicer (grpc/grpc
                # issue 41785). What our own caller cancels is never sent again.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
}
RESOLVE_AGAIN_MILLISECONDS = 5_000
"""How soon a name may be asked for again, when a connection went. gRPC's own 30 s are as long as a
replica may take to come and another to go.
"""
OPTIONS = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.dns_min_time_between_resolutions_ms", RESOLVE_AGAIN_MILLISECONDS),
    # A replica that is gone without a word is found out in 40 s; servers take a ping in 20 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC's own waits for the next connection grow to two minutes: after an outage of 25 s nobody
    # could pay for 16 s more (measured; so it is 0.4 to 1.5 s).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
STATUSES = {
    customer_pb2.Customer.ACTIVE: CustomerStatus.ACTIVE,
    customer_pb2.Customer.BLOCKED: CustomerStatus.BLOCKED,
}


class GrpcCustomers:
    """The Customer service (the port `Customers`), on as many replicas as the target names."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub: Any = CustomerServiceStub(channel)

    @classmethod
    @asynccontextmanager
    async def open(cls, target: str) -> AsyncIterator[Self]:
        """Connects when it is first asked: `dns:///customer:50051`, `ipv4:127.0.0.1:50051`."""
        async with aio.insecure_channel(target, OPTIONS) as channel:
            yield cls(channel)

    async def find(self, name: CustomerName) -> Customer:
        request = service_pb2.GetCustomerRequest(name=str(name))
        try:
            found: customer_pb2.Customer = await self._stub.GetCustomer(
                request, timeout=call.remaining(SECONDS), metadata=call.metadata()
            )
        except aio.AioRpcError as error:
            if error.code() is StatusCode.NOT_FOUND:
                return Customer(CustomerStatus.NOT_FOUND)
            log.warning("customer_service_unavailable", code=error.code().name)
            return Customer(CustomerStatus.UNAVAILABLE)
        if found.name != request.name:
            log.error("customer_service_answered_of_another")
            return Customer(CustomerStatus.UNAVAILABLE)
        if found.HasField("delete_time"):
            return Customer(CustomerStatus.DELETED, found.etag)
        return Customer(STATUSES.get(found.state, CustomerStatus.UNAVAILABLE), found.etag)
