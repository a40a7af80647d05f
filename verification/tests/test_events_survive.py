"""The stream of events across the death of what it runs on: none is missed, none comes twice."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from oncepay.payment.v1 import payment_service_pb2 as pb

from oncepay_cli.local import passwords
from oncepay_cli.local.installation import Installation
from oncepay_cli.local.postgresql import PostgreSQL
from verification.chaos.parts import DatabaseServer
from verification.house import temporary_house
from verification.shop import Shop, answered

if TYPE_CHECKING:
    from oncepay.payment.v1.payment_pb2 import PaymentEvent

EVERYTHING = "payments/-"
PAYMENTS, CALLERS = 300, 30
INSIST_SECONDS = 60


@pytest.fixture(scope="module")
def house() -> Iterator[Installation]:
    """One of its own: it is not treated well."""
    with temporary_house() as installation:
        yield installation


class Watcher:
    """Reads the stream, and comes back with its cursor whenever it breaks."""

    def __init__(self, shop: Shop) -> None:
        self.seen: list[PaymentEvent] = []
        self.breaks = 0
        self._shop = shop

    def read_until(self, count: int) -> None:
        until = time.monotonic() + INSIST_SECONDS
        while len(self.seen) < count:
            assert time.monotonic() < until, "the stream does not come back"
            cursor = self.seen[-1].cursor if self.seen else ""
            asked = pb.WatchPaymentEventsRequest(parent=EVERYTHING, cursor=cursor)
            stream = self._shop.payments.WatchPaymentEvents(asked, timeout=60, wait_for_ready=True)
            try:
                for each in stream:
                    self.seen.append(each.payment_event)
                    if len(self.seen) == count:
                        break
            except grpc.RpcError as error:
                assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
                self.breaks += 1
            finally:
                stream.cancel()


def pay_insisting(shop: Shop) -> None:
    """Pay, and ask again until there is an answer."""
    creation, until = shop.creation(), time.monotonic() + INSIST_SECONDS
    while not answered(shop.payments.CreatePayment, creation).reply:
        assert time.monotonic() < until, "no answer came"
        time.sleep(0.1)


def all_events(shop: Shop) -> list[Any]:
    request = pb.ListPaymentEventsRequest(parent=EVERYTHING, page_size=1000)
    return list(shop.payments.ListPaymentEvents(request).payment_events)


def test_a_watcher_survives_the_crash_of_postgresql_while_payments_go_on(
    house: Installation,
) -> None:
    server = DatabaseServer(
        PostgreSQL(
            data=house.paths.postgresql,
            log=house.paths.logs / "postgresql.log",
            port=house.ports.postgresql,
            password=passwords.read(house.paths.secrets, passwords.SUPERUSER),
        )
    )
    shop, watcher = Shop(house), Watcher(Shop(house))
    with ThreadPoolExecutor(CALLERS) as callers, ThreadPoolExecutor(1) as readers:
        paying = [callers.submit(pay_insisting, shop) for _ in range(PAYMENTS)]
        watcher.read_until(5)
        reading = readers.submit(watcher.read_until, 2 * PAYMENTS)
        assert server.kill()
        asyncio.run(server.start())
        for each in paying:
            each.result()
        reading.result()
    assert watcher.breaks
    assert watcher.seen == all_events(shop)
