"""The contract of NotificationRepository: stored once, and what it is about becomes due."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.repositories import Repositories, not_none, unsaved_payment

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
def notifications(repositories: Repositories) -> NotificationRepository:
    """The repository of the same store."""
    payments: Any = repositories.payments
    if isinstance(payments, MemoryPayments):
        return MemoryNotifications(payments._store)
    return PostgresNotifications(payments._pool)


def notification_of(
    payment: Payment, notification_id: str = "evt_1", refund_id: str = ""
) -> WebhookNotification:
    return WebhookNotification(
        notification_id, "payment_intent.succeeded", payment.intent_id, refund_id
    )


async def payment_due_in_an_hour(repositories: Repositories, state: State) -> Payment:
    """A payment in a state, which is due in an hour."""
    payment = await repositories.create_in(state)
    await repositories.payments.reschedule(payment, HOUR, 1)
    return payment


@pytest.mark.parametrize("state", [State.REQUIRES_ACTION, State.AUTHORIZED])
async def test_a_payment_that_waits_for_people_is_due_at_once(
    repositories: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await payment_due_in_an_hour(repositories, state)
    assert await repositories.claim() == []
    assert await notifications.record(notification_of(payment))
    assert await repositories.claim() == [payment.id]


@pytest.mark.parametrize("state", [State.CONFIRMING, State.CAPTURING, State.CANCELING])
async def test_a_payment_that_may_be_worked_on_is_due_after_a_moment(
    repositories: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await payment_due_in_an_hour(repositories, state)
    assert not await notifications.record(notification_of(payment))
    assert await repositories.claim() == []
    await repositories.payments.reschedule(payment, HOUR, 1)
    assert not await notifications.record(notification_of(payment, "evt_2")), (
        "it is due sooner than that already"
    )


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
async def test_a_final_payment_is_not_made_due(
    repositories: Repositories, notifications: NotificationRepository, state: State
) -> None:
    payment = await repositories.create_in(state)
    assert not await notifications.record(notification_of(payment))
    assert await repositories.claim() == []


async def test_a_held_payment_is_not_made_due(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await repositories.hold(await repositories.create_in(State.REQUIRES_ACTION))
    assert not await notifications.record(notification_of(payment))
    assert await repositories.claim() == []


async def test_a_repeated_notification_makes_nothing_due_and_a_new_one_does(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await payment_due_in_an_hour(repositories, State.REQUIRES_ACTION)
    assert await notifications.record(notification_of(payment))
    await repositories.payments.claim_due(10)
    await repositories.payments.reschedule(payment, HOUR, 1)
    assert not await notifications.record(notification_of(payment))
    assert await repositories.claim() == []
    assert await notifications.record(notification_of(payment, "evt_2")), "another event"


async def test_a_notification_of_an_unknown_intent_is_not_stored_and_counts_when_it_is_repeated(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = unsaved_payment()
    assert not await notifications.record(notification_of(payment))
    created = not_none(await repositories.insert(payment))
    created = await repositories.move(created, State.REQUIRES_ACTION)
    assert await notifications.record(notification_of(created))


async def test_an_attempt_that_began_before_the_notification_does_not_reschedule_the_payment(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await payment_due_in_an_hour(repositories, State.REQUIRES_ACTION)
    assert await notifications.record(notification_of(payment))
    await repositories.payments.reschedule(payment, HOUR, 1)
    assert await repositories.claim() == [payment.id]


async def test_an_attempt_that_saved_nothing_new_does_not_reschedule_a_payment_notified_meanwhile(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await payment_due_in_an_hour(repositories, State.REQUIRES_ACTION)
    assert await notifications.record(notification_of(payment))
    await repositories.payments.save(payment, payment, None)
    await repositories.payments.reschedule(payment, HOUR, 1)
    assert await repositories.claim() == [payment.id]


async def test_a_refund_that_succeeded_is_made_due_although_it_was_not_due_any_more(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 100)
    succeeded = replace(refund, processor_id="re_1", state=RefundState.SUCCEEDED)
    succeeded_refund = not_none(await repositories.refunds.save(refund, succeeded, UPDATED))
    await repositories.refunds.reschedule(succeeded_refund, None, 1)
    assert await notifications.record(notification_of(payment, refund_id="re_1"))
    assert await repositories.claim_refunds() == [succeeded_refund.id]
    failed = replace(succeeded_refund, state=RefundState.FAILED)
    await repositories.refunds.save(succeeded_refund, failed, UPDATED)
    assert not await notifications.record(notification_of(payment, "evt_2", refund_id="re_1")), (
        "it failed, which is final"
    )


async def test_a_notification_of_a_refund_makes_that_refund_due_and_no_other(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refunds = {}
    for notification_id in ("re_1", "re_2"):
        refund = await repositories.create_refund(payment, 100)
        pending = replace(refund, processor_id=notification_id, state=RefundState.PENDING)
        refunds[notification_id] = not_none(
            await repositories.refunds.save(refund, pending, UPDATED)
        )
        await repositories.refunds.reschedule(refunds[notification_id], HOUR, 1)
    assert await notifications.record(notification_of(payment, refund_id="re_2"))
    claimed = await repositories.claim_refunds()
    assert claimed == [refunds["re_2"].id]
    assert await repositories.claim() == []


async def test_a_refund_that_may_be_being_posted_is_due_after_a_moment(
    repositories: Repositories, notifications: NotificationRepository
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 100)
    assert not await notifications.record(notification_of(payment, refund_id="re_1"))
    assert await repositories.claim_refunds() == []
    await repositories.refunds.reschedule(refund, HOUR, 1)
    assert not await notifications.record(notification_of(payment, "evt_2", refund_id="re_1"))


async def test_each_new_notification_deletes_two_of_those_that_are_a_week_old(
    postgres: Repositories, superuser: Connection
) -> None:
    notifications = PostgresNotifications(postgres.payments._pool)  # type: ignore[attr-defined]
    payment = await postgres.create_in(State.SUCCEEDED)
    for number in range(5):
        await notifications.record(notification_of(payment, f"evt_{number}"))
    await superuser.execute("ALTER TABLE webhook_notifications DISABLE TRIGGER ALL")
    await superuser.execute(
        "UPDATE webhook_notifications SET receive_time = now() - interval '8 days' WHERE id <> 'evt_4'"
    )
    await superuser.execute("ALTER TABLE webhook_notifications ENABLE TRIGGER ALL")
    # PostgreSQL is free to choose nested loops, in which it repeats what may be repeated.
    for plan in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
        await superuser.execute(f"SET enable_{plan} = off")
    notifications = PostgresNotifications(superuser)  # type: ignore[arg-type]
    count = "SELECT count(*) FROM webhook_notifications"
    await notifications.record(notification_of(payment, "evt_5"))
    assert await superuser.fetchval(count) == 4
    await notifications.record(notification_of(payment, "evt_6"))
    assert await superuser.fetchval(count) == 3
    kept = await superuser.fetch("SELECT id FROM webhook_notifications ORDER BY id")
    assert [row["id"] for row in kept] == ["evt_4", "evt_5", "evt_6"]
