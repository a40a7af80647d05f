"""The contract of NotificationRepository, on each implementation: stored once, and worth a look."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.repositories import Repositories, some, unsaved_payment

from chassis.database import Connection
from payment.domain.events import EventType, NewEvent
from payment.domain.payment import Payment, State
from payment.domain.refund import RefundState
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.memory import MemoryNotifications, MemoryPayments
from payment.repository.postgresql.webhook_notifications import PostgresNotifications
from payment.service_layer.ports import NotificationRepository

HOUR = timedelta(hours=1)
UPDATED = NewEvent(EventType.REFUND_UPDATED)


@pytest.fixture
def notifications(stores: Repositories) -> NotificationRepository:
    """Of the same store."""
    payments: Any = stores.payments
    if isinstance(payments, MemoryPayments):
        return MemoryNotifications(payments._store)
    return PostgresNotifications(payments._pool)


def about(payment: Payment, name: str = "evt_1", refund_id: str = "") -> WebhookNotification:
    return WebhookNotification(name, "payment_intent.succeeded", payment.intent_id, refund_id)


async def resting(stores: Repositories, state: State) -> Payment:
    """A payment that is to be looked at in an hour."""
    payment = await stores.payment_in(state)
    await stores.payments.reschedule(payment, HOUR, 1)
    return payment


@pytest.mark.parametrize("state", [State.REQUIRES_ACTION, State.AUTHORIZED])
async def test_what_waits_for_a_person_is_due_now(
    stores: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await resting(stores, state)
    assert await stores.payments.claim_due(10) == []
    assert await notifications.record(about(payment))
    assert [each.snapshot.resource.id for each in await stores.payments.claim_due(10)] == [
        payment.id
    ]


@pytest.mark.parametrize("state", [State.CONFIRMING, State.CAPTURING, State.CANCELING])
async def test_what_somebody_is_at_is_left_alone_for_a_moment(
    stores: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await resting(stores, state)
    assert not await notifications.record(about(payment))
    assert await stores.payments.claim_due(10) == []
    await stores.payments.reschedule(payment, HOUR, 1)
    assert not await notifications.record(about(payment, "evt_2")), (
        "and is due sooner than that already"
    )


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
async def test_what_is_final_is_never_due_again(
    stores: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await stores.payment_in(state)
    assert not await notifications.record(about(payment))
    assert await stores.payments.claim_due(10) == []


async def test_what_is_held_waits_for_a_person(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await stores.hold(await stores.payment_in(State.REQUIRES_ACTION))
    assert not await notifications.record(about(payment))
    assert await stores.payments.claim_due(10) == []


async def test_a_duplicate_does_nothing(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await resting(stores, State.REQUIRES_ACTION)
    assert await notifications.record(about(payment))
    await stores.payments.claim_due(10)
    await stores.payments.reschedule(payment, HOUR, 1)
    assert not await notifications.record(about(payment))
    assert await stores.payments.claim_due(10) == []
    assert await notifications.record(about(payment, "evt_2")), "another event is another hint"


async def test_a_hint_of_nobodys_intent_is_not_stored_and_may_come_again(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = unsaved_payment()
    assert not await notifications.record(about(payment))
    build_payment = some(await stores.insert(payment))
    build_payment = await stores.move(build_payment, State.REQUIRES_ACTION)
    assert await notifications.record(about(build_payment))


async def test_an_attempt_that_asked_before_the_hint_does_not_put_it_off(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await resting(stores, State.REQUIRES_ACTION)
    assert await notifications.record(about(payment))
    await stores.payments.reschedule(payment, HOUR, 1)
    assert [each.snapshot.resource.id for each in await stores.payments.claim_due(10)] == [
        payment.id
    ]


async def test_a_look_that_changed_nothing_does_not_put_off_what_was_hinted_at_meanwhile(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await resting(stores, State.REQUIRES_ACTION)
    assert await notifications.record(about(payment))
    await stores.payments.save(payment, payment, None)
    await stores.payments.reschedule(payment, HOUR, 1)
    assert [each.snapshot.resource.id for each in await stores.payments.claim_due(10)] == [
        payment.id
    ]


async def test_a_refund_that_is_not_looked_at_any_more_is_looked_at_for_a_hint(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment, 100)
    succeeded = replace(refund, processor_id="re_1", state=RefundState.SUCCEEDED)
    done = some(await stores.refunds.save(refund, succeeded, UPDATED))
    await stores.refunds.reschedule(done, None, 1)
    assert await notifications.record(about(payment, refund_id="re_1"))
    assert [due.snapshot.resource.id for due in await stores.refunds.claim_due(10)] == [done.id]
    failed = replace(done, state=RefundState.FAILED)
    await stores.refunds.save(done, failed, UPDATED)
    assert not await notifications.record(about(payment, "evt_2", refund_id="re_1")), (
        "that is its end"
    )


async def test_a_hint_of_a_refund_hurries_that_refund_alone(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    known = {}
    for name in ("re_1", "re_2"):
        refund = await stores.refund(payment, 100)
        pending = replace(refund, processor_id=name, state=RefundState.PENDING)
        known[name] = some(await stores.refunds.save(refund, pending, UPDATED))
        await stores.refunds.reschedule(known[name], HOUR, 1)
    assert await notifications.record(about(payment, refund_id="re_2"))
    claimed = [due.snapshot.resource.id for due in await stores.refunds.claim_due(10)]
    assert claimed == [known["re_2"].id]
    assert await stores.payments.claim_due(10) == []


async def test_a_hint_of_a_refund_that_is_on_its_way_out_leaves_it_a_moment(
    stores: Repositories, notifications: NotificationRepository
) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment, 100)
    assert not await notifications.record(about(payment, refund_id="re_1"))
    assert await stores.refunds.claim_due(10) == []
    await stores.refunds.reschedule(refund, HOUR, 1)
    assert not await notifications.record(about(payment, "evt_2", refund_id="re_1"))


async def test_the_oldest_go_as_new_ones_come(
    postgres: Repositories, superuser: Connection
) -> None:
    notifications = PostgresNotifications(postgres.payments._pool)  # type: ignore[attr-defined]
    payment = await postgres.payment_in(State.SUCCEEDED)
    for number in range(5):
        await notifications.record(about(payment, f"evt_{number}"))
    await superuser.execute("ALTER TABLE webhook_notifications DISABLE TRIGGER ALL")
    await superuser.execute(
        "UPDATE webhook_notifications SET receive_time = now() - interval '8 days' WHERE id <> 'evt_4'"
    )
    await superuser.execute("ALTER TABLE webhook_notifications ENABLE TRIGGER ALL")
    count = "SELECT count(*) FROM webhook_notifications"
    await notifications.record(about(payment, "evt_5"))
    assert await superuser.fetchval(count) == 4
    await notifications.record(about(payment, "evt_6"))
    assert await superuser.fetchval(count) == 3
    kept = await superuser.fetch("SELECT id FROM webhook_notifications ORDER BY id")
    assert [row["id"] for row in kept] == ["evt_4", "evt_5", "evt_6"]
