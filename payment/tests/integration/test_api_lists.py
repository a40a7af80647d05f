"""Lists and the stream of events as clients see them: pages, filters, cursors."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import RunningService, refusal, running_service

from chassis.identifiers import uuid7
from payment.domain.values import CustomerName

ALL = "payments/-"


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[RunningService]:
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path) as service:
        yield service


async def names(service: RunningService, **said: Any) -> list[str]:
    """The names in a list, walked page by page."""
    found: list[str] = []
    while True:
        page = await service.stub.ListPayments(service_pb.ListPaymentsRequest(**said))
        found += [payment.name for payment in page.payments]
        if not page.next_page_token:
            return found
        assert len(page.payments) == said["page_size"], "only the last page may be short"
        said["page_token"] = page.next_page_token


async def test_payments_are_listed_page_by_page_both_ways(service: RunningService) -> None:
    paid = [(await service.pay()).name for _ in range(4)]
    assert await names(service, page_size=3) == paid[::-1]
    assert await names(service, page_size=2, order_by="create_time") == paid, "two full pages"
    assert await names(service, page_size=1_000_000) == paid[::-1]


async def test_payments_are_found_by_what_they_are(service: RunningService) -> None:
    bob = CustomerName(uuid7())
    service.customers.keep(bob)
    first = await service.pay(reference="A-1")
    failed = await service.pay(payment_method="pm_card_chargeDeclined")
    bobs = await service.pay(customer=str(bob), capture_method=pb.Payment.MANUAL)

    async def found(filter_: str, **said: Any) -> list[str]:
        return await names(service, filter=filter_, **said)

    assert await found('state = "SUCCEEDED"') == [first.name]
    assert await found('state = "FAILED"') == [failed.name]
    assert await found(f'customer = "{bob}"') == [bobs.name]
    assert await found('reference = "A-1"') == [first.name]
    assert await found(f'customer = "{bob}" AND state = "FAILED"') == []
    assert await found("held = true") == []
    assert len(await found("held = false")) == 3
    since = failed.create_time.ToJsonString()
    assert await found(f'create_time >= "{since}"') == [bobs.name, failed.name]
    assert await found(f'create_time < "{since}"') == [first.name]

    await service.stub.DeletePayment(service_pb.DeletePaymentRequest(name=failed.name))
    assert await found("") == [bobs.name, first.name]
    assert await found("", show_deleted=True) == [bobs.name, failed.name, first.name]


async def test_a_page_token_goes_with_its_own_list_only(service: RunningService) -> None:
    paid = [await service.pay() for _ in range(2)]
    first = await service.stub.ListPayments(service_pb.ListPaymentsRequest(page_size=1))
    token = first.next_page_token
    for call in (
        service.stub.ListPayments(
            service_pb.ListPaymentsRequest(page_token=token, filter="state = FAILED")
        ),
        service.stub.ListPayments(
            service_pb.ListPaymentsRequest(page_token=token, order_by="create_time")
        ),
        service.stub.ListPayments(
            service_pb.ListPaymentsRequest(page_token=token, show_deleted=True)
        ),
        service.stub.ListRefunds(
            service_pb.ListRefundsRequest(page_token=token, parent=paid[0].name)
        ),
        service.stub.ListPaymentEvents(
            service_pb.ListPaymentEventsRequest(page_token=token, parent=ALL)
        ),
        service.stub.ListPayments(service_pb.ListPaymentsRequest(page_token="x")),
    ):
        error = await refusal(call)
        assert (error.code, error.fields) == (
            StatusCode.INVALID_ARGUMENT,
            [("page_token", "PAGE_TOKEN")],
        )
    negative = service.stub.ListPayments(service_pb.ListPaymentsRequest(page_size=-1))
    assert (await refusal(negative)).fields == [("page_size", "NEGATIVE")]


async def test_refunds_are_listed_page_by_page(service: RunningService) -> None:
    payment = await service.pay()
    made = []
    for number in range(3):
        asked = service_pb.CreateRefundRequest(
            parent=payment.name,
            refund=pb.Refund(amount=pb.Money(minor_units=100, currency_code="EUR")),
            request_id=f"0b7f3c0e-5f0a-4a51-9a3e-00000000000{number}",
        )
        made.append((await service.stub.CreateRefund(asked)).name)
    request = service_pb.ListRefundsRequest(parent=payment.name, page_size=2)
    first = await service.stub.ListRefunds(request)
    request.page_token = first.next_page_token
    second = await service.stub.ListRefunds(request)
    assert not second.next_page_token
    assert [refund.name for page in (first, second) for refund in page.refunds] == made[::-1]


async def events(service: RunningService, parent: str, size: int) -> list[pb.PaymentEvent]:
    """All events, walked page by page."""
    found: list[pb.PaymentEvent] = []
    request = service_pb.ListPaymentEventsRequest(parent=parent, page_size=size)
    while True:
        page = await service.stub.ListPaymentEvents(request)
        found += page.payment_events
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_events_are_listed_page_by_page_of_one_payment_and_of_all(
    service: RunningService,
) -> None:
    first = await service.pay()
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    capture = service_pb.CapturePaymentRequest(
        name=held.name, request_id="0b7f3c0e-5f0a-4a51-9a3e-1f1d2c3b4a59"
    )
    await service.stub.CapturePayment(capture)
    of_first = await events(service, first.name, 1)
    assert [(event.sequence, event.type) for event in of_first] == [
        (1, "payment.created"),
        (2, "payment.succeeded"),
    ]
    of_held = await events(service, held.name, 3)
    assert [event.type for event in of_held] == [
        "payment.created",
        "payment.authorized",
        "payment.capture_requested",
        "payment.succeeded",
    ]
    await watched(service, ALL, "", 6)  # until no transaction is open that could bring more
    assert await events(service, ALL, 4) == of_first + of_held


async def watched(
    service: RunningService, parent: str, cursor: str, count: int
) -> list[pb.PaymentEvent]:
    request = service_pb.WatchPaymentEventsRequest(parent=parent, cursor=cursor)
    watching = service.stub.WatchPaymentEvents(request, timeout=30)
    found: list[pb.PaymentEvent] = []
    async for each in watching:
        found.append(each.payment_event)
        if len(found) == count:
            break
    watching.cancel()
    return found


async def test_a_watch_goes_on_from_a_cursor_and_misses_nothing(service: RunningService) -> None:
    first = await service.pay()
    seen = await watched(service, ALL, "", 2)
    assert [event.payment for event in seen] == [first.name] * 2
    second = await service.pay()
    rest = await watched(service, ALL, seen[0].cursor, 3)
    assert rest[0] == seen[1]
    assert [event.payment for event in rest[1:]] == [second.name] * 2
    assert await watched(service, second.name, "", 2) == rest[1:]
    assert await watched(service, second.name, rest[1].cursor, 1) == rest[2:]


async def test_a_watch_hears_of_what_is_yet_to_come(service: RunningService) -> None:
    request = service_pb.WatchPaymentEventsRequest(parent=ALL)
    watching = service.stub.WatchPaymentEvents(request, timeout=30)
    payment = await service.pay()
    heard = [(await watching.read()).payment_event for _ in range(2)]
    watching.cancel()
    assert [(event.payment, event.type) for event in heard] == [
        (payment.name, "payment.created"),
        (payment.name, "payment.succeeded"),
    ]


async def test_a_cursor_that_is_none_is_refused(service: RunningService) -> None:
    request = service_pb.WatchPaymentEventsRequest(parent=ALL, cursor="AAAA")
    error = await refusal(service.stub.WatchPaymentEvents(request).read())
    assert (error.code, error.fields) == (StatusCode.INVALID_ARGUMENT, [("cursor", "CURSOR")])
