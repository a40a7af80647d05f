"""The contract of EventRepository, on each implementation."""

import pytest
from support.repositories import Repositories, some

from chassis.identifiers import uuid7
from chassis.values import InvalidValue
from payment.domain.events import EventType, NewEvent, PaymentEvent
from payment.domain.payment import Payment, State
from payment.repository import cursor as cursors


async def all_of(
    stores: Repositories, payment: Payment | None = None, cursor: str = "", page: int = 100
) -> list[PaymentEvent]:
    """The stream from a cursor on to its end."""
    found: list[PaymentEvent] = []
    payment_id = payment.id if payment else None
    while events := await stores.events.stream(payment_id, page, cursor):
        assert len(events) <= page
        found += events
        cursor = found[-1].cursor
    return found


@pytest.fixture
async def payments(stores: Repositories) -> list[Payment]:
    """Three payments whose events are mixed."""
    made = [await stores.build_payment() for _ in range(3)]
    made = [await stores.move(each, State.SUCCEEDED) for each in made]
    for each in made:
        await stores.refund(each)
    return made


async def test_events_come_with_all_that_is_told(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment)
    note = NewEvent(EventType.REFUND_UPDATED, 'Ærø "told"')
    saved = some(await stores.refunds.save(refund, refund, note))
    events = await stores.told_of(payment)
    assert [(each.sequence, each.type.value, each.state.value) for each in events] == [
        (1, "payment.created", "CONFIRMING"),
        (2, "payment.succeeded", "SUCCEEDED"),
        (3, "refund.created", "SUCCEEDED"),
        (4, "refund.updated", "SUCCEEDED"),
    ]
    assert [each.refund_id for each in events] == [None, None, refund.id, refund.id]
    assert events[3].note == 'Ærø "told"'
    assert [each.event_time for each in events] == [
        payment.create_time,
        payment.update_time,
        refund.create_time,
        saved.update_time,
    ]


@pytest.mark.parametrize("event_type", EventType)
async def test_every_type_of_event_can_be_kept(stores: Repositories, event_type: EventType) -> None:
    payment = await stores.build_payment()
    await stores.payments.save(payment, payment, NewEvent(event_type))
    assert (await stores.told_of(payment))[-1].type is event_type


async def test_the_events_of_a_payment_are_read_from_a_sequence_on(
    stores: Repositories, payments: list[Payment]
) -> None:
    events = await stores.told_of(payments[0])
    assert [each.sequence for each in events] == [1, 2, 3]
    assert await stores.events.of_payment(payments[0].id, 2, 0) == events[:2]
    assert await stores.events.of_payment(payments[0].id, 2, 2) == events[2:]
    assert await stores.events.of_payment(uuid7(), 2, 0) == []


async def test_the_stream_holds_every_event_once(
    stores: Repositories, payments: list[Payment]
) -> None:
    events = await all_of(stores)
    assert len(events) == 9
    told = [event for each in payments for event in await stores.told_of(each)]
    assert sorted(events, key=str) == sorted(told, key=str)
    assert [each.sequence for each in events] == [1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("page", [1, 2, 9])
async def test_the_stream_goes_on_after_any_of_its_events(
    stores: Repositories, payments: list[Payment], page: int
) -> None:
    events = await all_of(stores)
    assert await all_of(stores, page=page) == events
    for number, event in enumerate(events, start=1):
        assert await all_of(stores, cursor=event.cursor, page=page) == events[number:]


async def test_the_stream_of_a_payment_is_its_part_of_the_whole(
    stores: Repositories, payments: list[Payment]
) -> None:
    events = await all_of(stores)
    for payment in payments:
        own = [each for each in events if each.payment_id == payment.id]
        assert await all_of(stores, payment, page=2) == own == await stores.told_of(payment)
        for number, event in enumerate(events, start=1):
            after = [each for each in events[number:] if each.payment_id == payment.id]
            assert await all_of(stores, payment, event.cursor) == after


async def test_the_stream_goes_on_with_what_is_new(stores: Repositories) -> None:
    first = await stores.build_payment()
    (event,) = await all_of(stores)
    assert await all_of(stores, cursor=event.cursor) == []
    second = await stores.build_payment()
    (event,) = await all_of(stores, cursor=event.cursor)
    assert event.payment_id == second.id
    await stores.move(first, State.AUTHORIZED)
    (event,) = await all_of(stores, cursor=event.cursor)
    assert (event.payment_id, event.sequence) == (first.id, 2)


CURSOR = cursors.write_cursor(cursors.StreamPosition(7, uuid7(), 1), 1)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "====",
        CURSOR[:-1],
        CURSOR + "AAAA",
        CURSOR.replace(CURSOR[5], "é"),
        " " + CURSOR,
        "A" * 10_000,
        cursors.write_cursor(cursors.StreamPosition(7, uuid7(), 1), 2),
    ],
    ids=lambda cursor: cursor[:20],
)
async def test_what_is_no_cursor_of_this_installation_is_refused(
    stores: Repositories, cursor: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        await stores.events.stream(None, 10, cursor)
    assert (refused.value.field, refused.value.rule) == ("cursor", "CURSOR")


async def test_a_cursor_at_the_end_of_all_numbers_is_no_surprise(stores: Repositories) -> None:
    end = cursors.write_cursor(cursors.StreamPosition(2**64 - 1, uuid7(), 2**63 - 1), 1)
    payment = await stores.build_payment()
    assert await stores.events.stream(None, 10, end) == []
    assert await stores.events.stream(payment.id, 10, end) == []
