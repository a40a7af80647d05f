"""Orphans: intents of this installation that no payment has."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from support.examples import NOW, an_intent
from support.reconciliation_world import ReconciliationWorld

from payment.domain.evidence import IntentStatus
from payment.domain.payment import Payment, State
from payment.domain.values import Failure
from payment.reconciliation.comparison import Kind, ListedIntent
from payment.reconciliation.memory import MemoryInternalRecords
from payment.reconciliation.orphans import orphan_difference
from payment.reconciliation.report import OrphanOutcome

DECLINE = Failure("card_declined")


@pytest.fixture
def world() -> ReconciliationWorld:
    return ReconciliationWorld()


async def test_an_unconfirmed_orphan_of_a_day_is_canceled(world: ReconciliationWorld) -> None:
    orphan = await world.create_orphan()
    world.advance(hours=24)

    report = await world.reconcile(NOW)

    assert report.differences == []
    assert report.unconfirmed_orphans == {OrphanOutcome.CANCELED: 1}
    assert world.status_of(orphan.id) == "canceled"
    assert (await world.reconcile(NOW)).unconfirmed_orphans == {}


async def test_a_younger_orphan_is_not_canceled_since_its_payment_may_yet_be_inserted(
    world: ReconciliationWorld,
) -> None:
    orphan = await world.create_orphan()
    world.advance(hours=23, minutes=59)

    report = await world.reconcile(NOW)

    assert report.unconfirmed_orphans == {OrphanOutcome.TOO_RECENT: 1}
    assert world.status_of(orphan.id) == "requires_confirmation"


async def test_no_orphan_is_canceled_while_a_write_is_open(world: ReconciliationWorld) -> None:
    orphan = await world.create_orphan()
    world.advance(hours=25)
    world.records.open_write = True

    report = await world.reconcile(NOW)

    assert report.unconfirmed_orphans == {OrphanOutcome.NOT_CANCELED: 1}
    assert world.status_of(orphan.id) == "requires_confirmation"


async def test_with_report_only_no_orphan_is_canceled(world: ReconciliationWorld) -> None:
    orphan = await world.create_orphan()
    world.advance(hours=25)

    report = await world.reconcile(NOW, report_only=True)

    assert report.unconfirmed_orphans == {OrphanOutcome.NOT_CANCELED: 1}
    assert world.status_of(orphan.id) == "requires_confirmation"


async def test_an_intent_whose_payment_is_committed_at_the_last_moment_is_not_canceled(
    world: ReconciliationWorld,
) -> None:
    recorded, orphan = await world.pay(), await world.create_orphan()
    world.advance(days=2)

    class CommittedAfterTheReading(MemoryInternalRecords):
        async def payments_of(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
            found = await super().payments_of(intent_ids)
            if list(intent_ids) == [orphan.id] and not found:
                late = replace(
                    recorded, id=UUID(int=1), intent_id=orphan.id, state=State.CONFIRMING
                )
                self.store.payments[late.id] = late
            return found

    world.records = CommittedAfterTheReading(world.store)
    report = await world.reconcile(NOW)

    assert report.unconfirmed_orphans == {OrphanOutcome.NOT_CANCELED: 1}
    assert world.status_of(orphan.id) == "requires_confirmation"


@pytest.mark.parametrize(
    ("status", "failure", "kind"),
    [
        (IntentStatus.REQUIRES_CONFIRMATION, None, None),
        (IntentStatus.REQUIRES_PAYMENT_METHOD, None, None),
        (IntentStatus.CANCELED, None, None),
        (IntentStatus.CANCELED, DECLINE, None),
        (IntentStatus.REQUIRES_CONFIRMATION, DECLINE, Kind.CONFIRMED_WITHOUT_PAYMENT),
        (IntentStatus.REQUIRES_PAYMENT_METHOD, DECLINE, Kind.CONFIRMED_WITHOUT_PAYMENT),
        (IntentStatus.REQUIRES_ACTION, None, Kind.CONFIRMED_WITHOUT_PAYMENT),
        (IntentStatus.PROCESSING, None, Kind.CONFIRMED_WITHOUT_PAYMENT),
        (IntentStatus.REQUIRES_CAPTURE, None, Kind.CHARGED_WITHOUT_PAYMENT),
        (IntentStatus.SUCCEEDED, None, Kind.CHARGED_WITHOUT_PAYMENT),
    ],
)
def test_an_orphan_is_a_difference_where_a_card_was_tried_and_it_is_not_canceled(
    status: IntentStatus, failure: Failure | None, kind: Kind | None
) -> None:
    intent = an_intent(status, failure=failure)
    listed = ListedIntent(intent.id, NOW, intent=intent)

    difference = orphan_difference(listed, intent, same_request="")

    assert (difference and difference.kind) == kind


@pytest.mark.parametrize(("refunded", "kind"), [(999, Kind.CHARGED_WITHOUT_PAYMENT), (1000, None)])
def test_a_charged_orphan_is_no_difference_once_it_is_refunded_in_full(
    refunded: int, kind: Kind | None
) -> None:
    intent = an_intent(IntentStatus.SUCCEEDED)
    listed = ListedIntent(intent.id, NOW, intent=intent, amount_refunded=refunded)

    difference = orphan_difference(listed, intent, same_request="")

    assert (difference and difference.kind) == kind
