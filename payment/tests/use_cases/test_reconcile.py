"""What a reconciliation compares, makes due and opens, and when it fails."""

from datetime import timedelta
from uuid import uuid4

import pytest
from support.examples import NOW
from support.faults import UNREACHABLE
from support.reconciliation_world import (
    DECLINED,
    MANUAL_CAPTURE,
    SINCE,
    Listing,
    ReconciliationWorld,
    the_only_difference,
)

from chassis.values import Reference, RequestId
from payment.domain.evidence import OutcomeUnknown, Page
from payment.domain.payment import State
from payment.domain.refund import RefundState
from payment.domain.values import Money, PaymentName
from payment.reconciliation import report as report_module
from payment.reconciliation.comparison import ListedIntent
from payment.reconciliation.sources import SourceUnavailable


@pytest.fixture
def world() -> ReconciliationWorld:
    return ReconciliationWorld()


# ---------------------------------------------------------------- what is compared


async def test_without_differences_the_totals_of_both_sides_are_the_same(
    world: ReconciliationWorld,
) -> None:
    paid = await world.pay(reference=Reference("order-1"))
    for amount in (300, 400):
        await world.refund(paid, amount)
    await world.pay(amount=Money(500, "JPY"))
    await world.pay(**DECLINED)
    authorized = await world.pay(**MANUAL_CAPTURE)
    await world.change_payment.cancel(PaymentName(authorized.id), RequestId(str(uuid4())))

    report = await world.reconcile()

    assert report.differences == []
    assert report.internal == report.processor
    assert (report.internal["EUR"].payments, report.internal["EUR"].charged) == (1, 1000)
    assert (report.internal["EUR"].refunds, report.internal["EUR"].refunded) == (2, 700)
    assert report.internal["JPY"].charged == 500


async def test_only_the_given_time_is_compared(world: ReconciliationWorld) -> None:
    world.lose(await world.pay())
    world.advance(hours=2)
    await world.pay()

    report = await world.reconcile(world.now - timedelta(hours=1))

    assert report.differences == []
    assert report.processor["EUR"].payments == 1


async def test_a_payment_recorded_after_the_end_counts_with_its_intent_before_it(
    world: ReconciliationWorld,
) -> None:
    world.now = NOW + timedelta(minutes=60)
    payment = await world.pay()
    world.overwrite(payment, create_time=payment.create_time + timedelta(seconds=1.5))
    world.processor.calls.clear()

    before = await world.reconcile(NOW, until=NOW + timedelta(minutes=60, seconds=1))
    after = await world.reconcile(NOW + timedelta(minutes=60, seconds=1))

    assert before.differences == after.differences == []
    assert before.internal == before.processor != {}
    assert after.internal == after.processor == {}
    assert world.processor.calls == [], "the overlap of the listing spares single requests"


async def test_many_pages_and_slices_are_compared(
    world: ReconciliationWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payment.reconciliation.sources.PAGE_SIZE", 3)
    monkeypatch.setattr("verification.processor.PAGE", 3)
    payments = []
    for _ in range(10):
        payments += [await world.pay(), await world.pay()]
        await world.refund(payments[-1], 100)
        world.advance(minutes=11)

    report = await world.reconcile()

    assert report.differences == []
    assert report.internal == report.processor
    assert (report.internal["EUR"].payments, report.internal["EUR"].refunds) == (20, 10)

    world.lose(payments[7])
    assert the_only_difference(await world.reconcile()).intent_id == payments[7].intent_id

    world.empty_the_account()
    missing = {each.payment for each in (await world.reconcile()).differences}
    assert {str(each.name) for each in payments if each != payments[7]} <= missing


async def test_intents_of_another_installation_are_counted_and_not_touched(
    world: ReconciliationWorld,
) -> None:
    intent = await world.create_intent_of_another_installation(await world.pay())
    world.advance(hours=25)

    report = await world.reconcile(NOW)

    assert report.other_installations == {"another": 1}
    assert report.differences == []
    assert world.status_of(intent.id) == "requires_confirmation"


async def test_beyond_the_maximum_other_installations_are_counted_together(
    world: ReconciliationWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MAX_INSTALLATIONS", 1)
    report = await world.reconcile()

    for name in ("one", "two", "one", "three"):
        report.count_other_installation(name)

    assert report.other_installations == {"one": 2, "others": 2}


# ---------------------------------------------------------------- what is in progress


async def test_a_payment_that_is_behind_the_processor_is_made_due_and_not_changed(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.overwrite(payment, state=State.CONFIRMING, amount_captured=0)
    world.store.schedule(payment.id, timedelta(hours=1))

    report = await world.reconcile()

    assert report.differences == []
    assert (report.in_progress, report.made_due) == (1, 1)
    assert world.store.payments[payment.id].state is State.CONFIRMING
    await world.run_recovery()
    assert world.store.payments[payment.id].state is State.SUCCEEDED


async def test_a_refund_that_is_behind_the_processor_is_made_due(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    refund = await world.refund(payment, 400)
    world.overwrite(refund, state=RefundState.PENDING)
    world.store.due.pop(refund.id)

    report = await world.reconcile()

    assert report.differences == []
    assert (report.in_progress, report.made_due) == (1, 1)
    await world.run_recovery()
    assert world.store.refunds[refund.id].state is RefundState.SUCCEEDED


async def test_an_authorized_payment_is_in_progress_and_left_alone(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay(**MANUAL_CAPTURE)
    due = world.store.due[payment.id]
    world.processor.calls.clear()

    report = await world.reconcile()

    assert report.differences == []
    assert (report.in_progress, report.made_due) == (1, 0)
    assert world.processor.calls == [], "the listing shows enough"
    assert world.store.due[payment.id] == due


async def test_a_payment_that_changes_while_it_is_read_is_read_again(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.overwrite(payment, state=State.CONFIRMING, amount_captured=0)

    async def finish() -> None:
        await world.step(await world.current(payment))

    world.processor.faults.plan("retrieve", finish)
    report = await world.reconcile()

    assert report.differences == []
    assert (report.in_progress, report.made_due) == (0, 0)


async def test_a_payment_that_changes_at_every_reading_is_in_progress(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.overwrite(payment, state=State.CONFIRMING, amount_captured=0)

    async def change() -> None:
        row = world.store.payments[payment.id]
        world.overwrite(row, version=row.version + 1)

    world.processor.faults.plan("retrieve", *[change] * 5)
    report = await world.reconcile()

    assert report.differences == []
    assert (report.in_progress, report.made_due) == (1, 0)


async def test_with_report_only_nothing_is_changed(world: ReconciliationWorld) -> None:
    orphan = await world.create_orphan()
    behind = await world.pay()
    world.overwrite(behind, state=State.CONFIRMING, amount_captured=0)
    world.store.due.pop(behind.id, None)
    world.advance(hours=25)
    world.records.reconcile_since = NOW

    report = await world.reconcile(NOW, report_only=True)

    assert (report.in_progress, report.made_due, report.database_opened) == (1, 0, False)
    assert world.records.reconcile_since == NOW
    assert behind.id not in world.store.due
    assert world.status_of(orphan.id) == "requires_confirmation"


# ---------------------------------------------------------------- when it cannot go on


async def test_a_request_without_a_reply_is_repeated(world: ReconciliationWorld) -> None:
    world.lose(await world.pay())
    world.processor.faults.plan("retrieve", UNREACHABLE, UNREACHABLE)

    assert len((await world.reconcile()).differences) == 1
    assert world.pauses == [1, 2]


async def test_after_five_requests_without_a_reply_it_fails(world: ReconciliationWorld) -> None:
    world.lose(await world.pay())
    world.processor.faults.plan("retrieve", *[UNREACHABLE] * 5)

    with pytest.raises(SourceUnavailable):
        await world.reconcile()


@pytest.mark.parametrize(
    "answer", [OutcomeUnknown("HTTP 401"), Page([], has_more=True)], ids=["refused", "empty page"]
)
async def test_without_the_whole_listing_it_fails(
    world: ReconciliationWorld, answer: Page[ListedIntent] | OutcomeUnknown
) -> None:
    world.listing = Listing(world.listing, lambda _page: answer)

    with pytest.raises(SourceUnavailable, match="listing"):
        await world.reconcile()


async def test_with_too_many_differences_it_stops(
    world: ReconciliationWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MAX_DIFFERENCES", 2)
    world.records.reconcile_since = SINCE
    for _ in range(3):
        world.lose(await world.pay())
    world.advance(hours=2)
    world.lose(await world.pay())

    report = await world.reconcile(accept_differences=True)

    assert report.truncated
    assert len(report.differences) == 2
    assert report.processor["EUR"].payments == 3, "the second hour was not compared"
    assert not report.database_opened


# ---------------------------------------------------------------- after a database was rebound


async def test_a_reconciliation_from_the_backup_until_now_opens_the_database(
    world: ReconciliationWorld,
) -> None:
    await world.pay()
    world.records.reconcile_since = SINCE

    too_late = await world.reconcile(SINCE + timedelta(seconds=1))
    not_until_now = await world.reconcile(until=world.now)
    complete = await world.reconcile()
    again = await world.reconcile()

    reports = (too_late, not_until_now, complete, again)
    assert [each.database_opened for each in reports] == [False, False, True, False]


async def test_with_differences_the_database_stays_closed_until_they_are_accepted(
    world: ReconciliationWorld,
) -> None:
    world.lose(await world.pay())
    world.records.reconcile_since = SINCE

    assert not (await world.reconcile()).database_opened
    assert world.records.reconcile_since == SINCE
    assert (await world.reconcile(accept_differences=True)).database_opened
