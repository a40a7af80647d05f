"""Lists and the stream of events, as clients see them: pages, filters, cursors."""

from typing import Any

from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.api_requests import capture_request, euros, refund_request
from support.running_service import ALL_PAYMENTS, RunningService, error_of

from chassis.identifiers import uuid7
from payment.domain.values import CustomerName


async def list_names(service: RunningService, **fields: Any) -> list[str]:
    """The names of the payments in a list, page by page."""
    names: list[str] = []
    while True:
        page = await service.stub.ListPayments(service_pb.ListPaymentsRequest(**fields))
        names += [payment.name for payment in page.payments]
        if not page.next_page_token:
            return names
        assert len(page.payments) == fields["page_size"], "only the last page may be short"
        fields["page_token"] = page.next_page_token


async def list_events(
    service: RunningService, parent: str, page_size: int
) -> list[pb.PaymentEvent]:
    """All events, page by page."""
    events: list[pb.PaymentEvent] = []
    request = service_pb.ListPaymentEventsRequest(parent=parent, page_size=page_size)
    while True:
        page = await service.stub.ListPaymentEvents(request)
        events += page.payment_events
        if not page.next_page_token:
            return events
        request.page_token = page.next_page_token


# ---------------------------------------------------------------- payments and refunds


async def test_payments_are_listed_page_by_page_in_both_orders(service: RunningService) -> None:
    names = [(await service.pay()).name for _ in range(4)]
    assert await list_names(service, page_size=3) == names[::-1]
    assert await list_names(service, page_size=2, order_by="create_time") == names
    assert await list_names(service, page_size=1_000_000) == names[::-1]


async def test_payments_are_filtered_by_state_customer_reference_held_and_time(
    service: RunningService,
) -> None:
    bob = CustomerName(uuid7())
    service.customers.add(bob)
    succeeded = await service.pay(reference="A-1")
    failed = await service.pay(payment_method="pm_card_chargeDeclined")
    authorized = await service.pay(customer=str(bob), capture_method=pb.Payment.MANUAL)

    async def filtered(filter_: str) -> list[str]:
        return await list_names(service, filter=filter_)

    assert await filtered('state = "SUCCEEDED"') == [succeeded.name]
    assert await filtered('state = "FAILED"') == [failed.name]
    assert await filtered(f'customer = "{bob}"') == [authorized.name]
    assert await filtered('reference = "A-1"') == [succeeded.name]
    assert await filtered(f'customer = "{bob}" AND state = "FAILED"') == []
    assert await filtered("held = true") == []
    assert len(await filtered("held = false")) == 3
    time = failed.create_time.ToJsonString()
    assert await filtered(f'create_time >= "{time}"') == [authorized.name, failed.name]
    assert await filtered(f'create_time < "{time}"') == [succeeded.name]


async def test_a_deleted_payment_is_listed_only_where_it_is_asked_for(
    service: RunningService,
) -> None:
    succeeded = await service.pay()
    failed = await service.pay(payment_method="pm_card_chargeDeclined")
    await service.stub.DeletePayment(service_pb.DeletePaymentRequest(name=failed.name))
    assert await list_names(service) == [succeeded.name]
    assert await list_names(service, show_deleted=True) == [failed.name, succeeded.name]


async def test_a_page_token_is_refused_with_another_list_than_its_own(
    service: RunningService,
) -> None:
    payments = [await service.pay() for _ in range(2)]
    page = await service.stub.ListPayments(service_pb.ListPaymentsRequest(page_size=1))
    token = page.next_page_token
    for call in (
        *(
            service.stub.ListPayments(service_pb.ListPaymentsRequest(page_token=token, **other))
            for other in (
                {"filter": "state = FAILED"},
                {"order_by": "create_time"},
                {"show_deleted": True},
            )
        ),
        service.stub.ListRefunds(
            service_pb.ListRefundsRequest(page_token=token, parent=payments[0].name)
        ),
        service.stub.ListPaymentEvents(
            service_pb.ListPaymentEventsRequest(page_token=token, parent=ALL_PAYMENTS)
        ),
        service.stub.ListPayments(service_pb.ListPaymentsRequest(page_token="x")),
    ):
        error = await error_of(call)
        assert error.code is StatusCode.INVALID_ARGUMENT
        assert error.fields == [("page_token", "PAGE_TOKEN")]


async def test_a_negative_page_size_is_refused(service: RunningService) -> None:
    request = service_pb.ListPaymentsRequest(page_size=-1)
    error = await error_of(service.stub.ListPayments(request))
    assert error.fields == [("page_size", "NEGATIVE")]


async def test_refunds_are_listed_newest_first_page_by_page(service: RunningService) -> None:
    payment = await service.pay()
    names = [
        (await service.stub.CreateRefund(refund_request(payment, amount=euros(100)))).name
        for _ in range(3)
    ]
    request = service_pb.ListRefundsRequest(parent=payment.name, page_size=2)
    first = await service.stub.ListRefunds(request)
    request.page_token = first.next_page_token
    second = await service.stub.ListRefunds(request)
    assert not second.next_page_token
    assert [refund.name for page in (first, second) for refund in page.refunds] == names[::-1]


# ---------------------------------------------------------------- events


async def test_the_events_of_one_payment_and_of_all_are_listed_in_order_page_by_page(
    service: RunningService,
) -> None:
    charged = await service.pay()
    captured = await service.pay(capture_method=pb.Payment.MANUAL)
    await service.stub.CapturePayment(capture_request(captured))
    of_charged = await list_events(service, charged.name, 1)
    assert [(event.sequence, event.type) for event in of_charged] == [
        (1, "payment.created"),
        (2, "payment.succeeded"),
    ]
    of_captured = await list_events(service, captured.name, 3)
    assert [event.type for event in of_captured] == [
        "payment.created",
        "payment.authorized",
        "payment.capture_requested",
        "payment.succeeded",
    ]
    await service.first_events(6)  # no open transaction hides an event any more
    assert await list_events(service, ALL_PAYMENTS, 4) == of_charged + of_captured


async def test_a_watch_continues_after_a_cursor_and_misses_nothing(
    service: RunningService,
) -> None:
    first = await service.pay()
    events = await service.first_events(2)
    assert [event.payment for event in events] == [first.name] * 2
    second = await service.pay()
    rest = await service.first_events(3, cursor=events[0].cursor)
    assert rest[0] == events[1]
    assert [event.payment for event in rest[1:]] == [second.name] * 2
    assert await service.first_events(2, second.name) == rest[1:]
    assert await service.first_events(1, second.name, rest[1].cursor) == rest[2:]


async def test_a_watch_gets_events_of_payments_that_are_created_later(
    service: RunningService,
) -> None:
    watching = service.watch()
    payment = await service.pay()
    events = [(await watching.read()).payment_event for _ in range(2)]
    watching.cancel()
    assert [(event.payment, event.type) for event in events] == [
        (payment.name, "payment.created"),
        (payment.name, "payment.succeeded"),
    ]


async def test_an_invalid_cursor_is_refused(service: RunningService) -> None:
    error = await error_of(service.watch(cursor="AAAA").read())
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.fields == [("cursor", "CURSOR")]
