"""The contract of EventRepository, in each implementation."""

import pytest
from support.repositories import Repositories, not_none

from chassis.identifiers import uuid7
from chassis.values import InvalidValue
from payment.domain.events import EventType, NewEvent, PaymentEvent
from payment.domain.payment import Payment, State
from payment.repository import cursor as cursors


async def read_stream(
    repositories: Repositories, payment: Payment | None = None, cursor: str = "", page: int = 100
) -> list[PaymentEvent]:
    """The stream from a cursor to its end, page by page."""
    found: list[PaymentEvent] = []
    payment_id = payment.id if payment else None
    while events := await repositories.events.stream(payment_id, page, cursor):
        assert len(events) <= page
        found += events
        cursor = found[-1].cursor
    return found


@pytest.fixture
async def payments(repositories: Repositories) -> list[Payment]:
    """Three payments whose events alternate in the stream."""
    created = [await repositories.create() for _ in range(3)]
    created = [await repositories.move(each, State.SUCCEEDED) for each in created]
    for each in created:
        await repositories.create_refund(each)
    return created


async def test_every_field_of_an_event_is_kept(repositories: Repositories) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment)
    note = NewEvent(EventType.REFUND_UPDATED, 'Ærø "quoted"')
    saved = not_none(await repositories.refunds.save(refund, refund, note))
    events = await repositories.events_of(payment)
    assert [(each.sequence, each.type.value, each.state.value) for each in events] == [
        (1, "payment.created", "CONFIRMING"),
        (2, "payment.succeeded", "SUCCEEDED"),
        (3, "refund.created", "SUCCEEDED"),
        (4, "refund.updated", "SUCCEEDED"),
    ]
    assert [each.refund_id for each in events] == [None, None, refund.id, refund.id]
    assert events[3].note == 'Ærø "quoted"'
    assert [each.event_time for each in events] == [
        payment.create_time,
        payment.update_time,
        refund.create_time,
        saved.update_time,
    ]


@pytest.mark.parametrize("event_type", EventType)
async def test_an_event_of_every_type_is_kept(
    repositories: Repositories, event_type: EventType
) -> None:
    payment = await repositories.create()
    await repositories.payments.save(payment, payment, NewEvent(event_type))
    assert (await repositories.events_of(payment))[-1].type is event_type


async def test_the_events_of_a_payment_are_read_after_a_sequence(
    repositories: Repositories, payments: list[Payment]
) -> None:
    events = await repositories.events_of(payments[0])
    assert [each.sequence for each in events] == [1, 2, 3]
    assert await repositories.events.of_payment(payments[0].id, 2, 0) == events[:2]
    assert await repositories.events.of_payment(payments[0].id, 2, 2) == events[2:]
    assert await repositories.events.of_payment(uuid7(), 2, 0) == []


async def test_the_stream_has_every_event_once_and_those_of_a_payment_in_order(
    repositories: Repositories, payments: list[Payment]
) -> None:
    events = await read_stream(repositories)
    assert len(events) == 9
    events_of_payments = [
        event for each in payments for event in await repositories.events_of(each)
    ]
    assert sorted(events, key=str) == sorted(events_of_payments, key=str)
    assert [each.sequence for each in events] == [1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("page", [1, 2, 9])
async def test_the_stream_continues_after_the_cursor_of_any_event(
    repositories: Repositories, payments: list[Payment], page: int
) -> None:
    events = await read_stream(repositories)
    assert await read_stream(repositories, page=page) == events
    for number, event in enumerate(events, start=1):
        assert await read_stream(repositories, cursor=event.cursor, page=page) == events[number:]


async def test_the_stream_of_a_payment_is_its_part_of_the_stream_of_all(
    repositories: Repositories, payments: list[Payment]
) -> None:
    events = await read_stream(repositories)
    for payment in payments:
        own = [each for each in events if each.payment_id == payment.id]
        assert (
            await read_stream(repositories, payment, page=2)
            == own
            == await repositories.events_of(payment)
        )
        for number, event in enumerate(events, start=1):
            after = [each for each in events[number:] if each.payment_id == payment.id]
            assert await read_stream(repositories, payment, event.cursor) == after


async def test_the_stream_continues_with_new_events(repositories: Repositories) -> None:
    first = await repositories.create()
    (event,) = await read_stream(repositories)
    assert await read_stream(repositories, cursor=event.cursor) == []
    second = await repositories.create()
    (event,) = await read_stream(repositories, cursor=event.cursor)
    assert event.payment_id == second.id
    await repositories.move(first, State.AUTHORIZED)
    (event,) = await read_stream(repositories, cursor=event.cursor)
    assert (event.payment_id, event.sequence) == (first.id, 2)


VALID_CURSOR = cursors.write_cursor(cursors.StreamPosition(7, uuid7(), 1), 1)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "====",
        VALID_CURSOR[:-1],
        VALID_CURSOR + "AAAA",
        VALID_CURSOR.replace(VALID_CURSOR[5], "é"),
        " " + VALID_CURSOR,
        "A" * 10_000,
        cursors.write_cursor(cursors.StreamPosition(7, uuid7(), 1), 2),
    ],
    ids=lambda cursor: cursor[:20],
)
async def test_a_cursor_that_is_none_of_this_installation_is_refused(
    repositories: Repositories, cursor: str
) -> None:
    with pytest.raises(InvalidValue) as error:
        await repositories.events.stream(None, 10, cursor)
    assert (error.value.field, error.value.rule) == ("cursor", "CURSOR")


async def test_after_a_cursor_with_the_largest_numbers_there_are_no_events(
    repositories: Repositories,
) -> None:
    end = cursors.write_cursor(cursors.StreamPosition(2**64 - 1, uuid7(), 2**63 - 1), 1)
    payment = await repositories.create()
    assert await repositories.events.stream(None, 10, end) == []
    assert await repositories.events.stream(payment.id, 10, end) == []
