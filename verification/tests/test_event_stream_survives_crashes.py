"""A reader of the event stream that resumes from its cursor misses no event, and receives none twice."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from oncepay.payment.v1 import payment_service_pb2 as pb

from oncepay_cli.local.installation import Installation
from verification.client import Client
from verification.local_stack import local_stack, postgresql
from verification.processes import DatabaseServer
from verification.waiting import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from oncepay.payment.v1.payment_pb2 import PaymentEvent

ALL_PAYMENTS = "payments/-"
PAYMENTS, CALLERS = 150, 30
"""So many before the crash, and as many after it."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Installation]:
    """A stack of its own: its database is killed."""
    with local_stack() as installation:
        yield installation


class Reader:
    """Reads the stream, and resumes from its cursor whenever it breaks."""

    def __init__(self, client: Client) -> None:
        self.received: list[PaymentEvent] = []
        self.breaks = 0
        self._client = client

    def read_until(self, count: int) -> None:
        wait_until(lambda: self._read(count), "the stream does not come back")

    def _read(self, count: int) -> bool:
        """Read until the stream breaks; whether so many events are here."""
        cursor = self.received[-1].cursor if self.received else ""
        request = pb.WatchPaymentEventsRequest(parent=ALL_PAYMENTS, cursor=cursor)
        stream = self._client.payments.WatchPaymentEvents(
            request, timeout=PATIENCE_SECONDS, wait_for_ready=True
        )
        try:
            for reply in stream:
                self.received.append(reply.payment_event)
                if len(self.received) == count:
                    return True
        except grpc.RpcError as error:
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
            self.breaks += 1
        finally:
            stream.cancel()
        return False


def all_events(client: Client) -> list[Any]:
    request = pb.ListPaymentEventsRequest(parent=ALL_PAYMENTS, page_size=1000)
    return list(client.payments.ListPaymentEvents(request).payment_events)


def test_a_reader_survives_a_crash_of_postgresql_while_payments_go_on(stack: Installation) -> None:
    server = DatabaseServer(postgresql(stack.paths, stack.ports.postgresql))
    client, reader = Client(stack.ports), Reader(Client(stack.ports))
    with ThreadPoolExecutor(CALLERS) as callers, ThreadPoolExecutor(1) as readers:
        paying = [callers.submit(client.pay) for _ in range(PAYMENTS)]
        reader.read_until(5)
        reading = readers.submit(reader.read_until, 4 * PAYMENTS)
        assert server.kill()
        asyncio.run(server.start())
        paying += [callers.submit(client.pay) for _ in range(PAYMENTS)]
        for each in paying:
            each.result()
        reading.result()
    assert reader.breaks
    assert reader.received == all_events(client)
