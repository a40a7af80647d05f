"""What a comparison mends, leaves to the next one, and does after an adoption; and when it cannot be done."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from compared_day import MANUAL, SINCE, Day
from payment_examples import NOW
from small_world import SILENCE

from payment.domain.creation import CreationAttempt
from payment.domain.evidence import OutcomeUnknown, Page
from payment.domain.payment import Payment, State
from payment.domain.refund import RefundState
from payment.reconciliation import reconcile
from payment.reconciliation.comparison import ListedIntent
from payment.reconciliation.memory import MemoryInternalRecords
from payment.reconciliation.sources import CouldNotCompare
from verification.processor import SimulatedProcessor, listed_intent


@pytest.fixture
def day() -> Day:
    return Day()


# ---------------------------------------------------------------- what is mended


async def test_a_payment_that_is_behind_the_processor_is_made_due_and_not_stepped(
    day: Day,
) -> None:
    payment = await day.pay()
    day.alter(payment, state=State.CONFIRMING, amount_captured=0)
    day.store.schedule(payment.id, timedelta(hours=1))

    report = await day.compare()

    assert report.differences == []
    assert (report.under_way, report.set_due) == (1, 1)
    assert day.store.payments[payment.id].state is State.CONFIRMING
    await day.recover()
    assert day.store.payments[payment.id].state is State.SUCCEEDED


async def test_a_hold_that_waits_for_its_capture_is_left_alone(day: Day) -> None:
    payment = await day.pay(**MANUAL)
    due = day.store.due[payment.id]
    day.processor.made.clear()

    report = await day.compare()

    assert report.differences == []
    assert (report.under_way, report.set_due) == (1, 0)
    assert day.processor.made == [], "the list says enough"
    assert day.store.due[payment.id] == due


async def test_a_refund_that_is_behind_the_processor_is_made_due(day: Day) -> None:
    payment = await day.pay()
    refund = await day.refund_part(payment, 400)
    day.alter(refund, state=RefundState.PENDING)
    day.store.due.pop(refund.id)

    report = await day.compare()

    assert report.differences == []
    assert (report.under_way, report.set_due) == (1, 1)
    await day.recover()
    assert day.store.refunds[refund.id].state is RefundState.SUCCEEDED


async def test_a_payment_that_moves_while_it_is_looked_at_is_no_difference(day: Day) -> None:
    payment = await day.pay()
    day.alter(payment, state=State.CONFIRMING, amount_captured=0)

    async def finish() -> None:
        await day.step(payment)

    day.processor.troubles["retrieve"] = [finish]
    report = await day.compare()

    assert report.differences == []
    assert (report.under_way, report.set_due) == (0, 0)


async def test_a_payment_that_keeps_moving_is_left_to_the_next_time(day: Day) -> None:
    payment = await day.pay()
    day.alter(payment, state=State.CONFIRMING, amount_captured=0)

    async def move() -> None:
        row = day.store.payments[payment.id]
        day.alter(row, version=row.version + 1)

    day.processor.troubles["retrieve"] = [move] * 5
    report = await day.compare()

    assert report.differences == []
    assert report.under_way == 1


async def test_an_unconfirmed_orphan_of_a_day_is_canceled(day: Day) -> None:
    orphan = await day.attempt()
    day.later(hours=24)

    report = await day.compare()

    assert report.differences == []
    assert report.orphans == {"canceled": 1}
    assert day.status(orphan.id) == "canceled"
    assert (await day.compare()).orphans == {}


async def test_a_younger_one_is_left_alone(day: Day) -> None:
    """The insert that binds it may yet come."""
    orphan = await day.attempt()
    day.later(hours=23, minutes=59)

    report = await day.compare()

    assert report.orphans == {"young": 1}
    assert day.status(orphan.id) == "requires_confirmation"


async def test_no_orphan_is_canceled_while_a_commit_hangs(day: Day) -> None:
    orphan = await day.attempt()
    day.later(hours=25)
    day.records.hangs = True

    report = await day.compare()

    assert report.orphans == {"left": 1}
    assert day.status(orphan.id) == "requires_confirmation"


async def test_a_report_only_changes_nothing(day: Day) -> None:
    orphan = await day.attempt()
    behind = await day.pay()
    day.alter(behind, state=State.CONFIRMING, amount_captured=0)
    day.store.due.pop(behind.id, None)
    day.later(hours=25)
    day.records.reconcile_since = NOW

    report = await day.compare(report_only=True)

    assert report.orphans == {"left": 1}
    assert (report.under_way, report.set_due, report.opened) == (1, 0, False)
    assert day.status(orphan.id) == "requires_confirmation"
    assert behind.id not in day.store.due


async def test_what_others_make_in_the_same_account_is_counted_and_never_touched(day: Day) -> None:
    payment, inner = await day.pay(), day.processor.inner
    other = SimulatedProcessor("another", lambda: int(day.now.timestamp()), inner.view)
    await other.create(CreationAttempt(uuid4(), payment.request, '"7"', day.now))
    inner.view = other.view
    theirs = listed_intent(next(day.intents))
    day.later(hours=25)

    report = await day.compare()

    assert report.foreign == {"another": 1}
    assert report.differences == []
    assert day.status(theirs.id) == "requires_confirmation"


# ---------------------------------------------------------------- when it cannot be done


async def test_an_answer_that_is_lost_is_asked_for_again(day: Day) -> None:
    day.lose(await day.pay())
    day.processor.troubles["retrieve"] = [SILENCE, SILENCE]

    assert len((await day.compare()).differences) == 1
    assert day.waited == [1, 2]


async def test_a_processor_that_stays_silent_ends_it_without_a_verdict(day: Day) -> None:
    day.lose(await day.pay())
    day.processor.troubles["retrieve"] = [SILENCE] * 5

    with pytest.raises(CouldNotCompare):
        await day.compare()


async def test_a_list_that_does_not_come_ends_it_too(day: Day) -> None:
    class Silent:
        async def intents(self, *_window: Any) -> Page[ListedIntent] | OutcomeUnknown:
            return OutcomeUnknown("HTTP 401")

    day.listing = Silent()
    with pytest.raises(CouldNotCompare, match="HTTP 401"):
        await day.compare()


async def test_too_many_differences_end_it_and_say_so(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "MAX_DIFFERENCES", 2)
    for _ in range(3):
        day.lose(await day.pay())
    day.later(hours=2)
    day.lose(await day.pay())

    report = await day.compare()

    assert report.cut_short
    assert len(report.differences) == 2
    assert report.theirs["EUR"].payments == 3, "the hours behind were not compared"


# ---------------------------------------------------------------- after an adoption


async def test_a_comparison_from_the_backup_on_opens_what_an_adoption_closed(day: Day) -> None:
    await day.pay()
    day.records.reconcile_since = SINCE

    assert not (await day.compare(SINCE + timedelta(seconds=1))).opened
    assert not (await day.compare(until=day.now)).opened, "it has to reach until now"
    assert (await day.compare()).opened
    assert not (await day.compare()).opened, "it is open"


async def test_it_stays_closed_until_a_person_knows_of_the_differences(day: Day) -> None:
    day.lose(await day.pay())
    day.records.reconcile_since = SINCE

    assert not (await day.compare()).opened
    assert day.records.reconcile_since == SINCE
    assert (await day.compare(differences_are_known=True)).opened


async def test_what_a_hanging_commit_binds_at_the_last_moment_is_no_orphan(day: Day) -> None:
    bound, orphan = await day.pay(), await day.attempt()
    day.later(days=2)

    class CommitsAfterTheLook(MemoryInternalRecords):
        async def bound_to(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
            found = await super().bound_to(intent_ids)
            if orphan.id in intent_ids and not found:
                late = replace(bound, id=UUID(int=1), intent_id=orphan.id, state=State.CONFIRMING)
                self.store.payments[late.id] = late
            return found

    day.records = CommitsAfterTheLook(day.store)
    report = await day.compare(day.now - timedelta(days=3))
    assert report.orphans == {"left": 1}
    assert day.status(orphan.id) == "requires_confirmation"


async def test_an_empty_page_that_is_not_the_last_ends_it_too(day: Day) -> None:
    class ProcessorListing:
        async def intents(self, *_: object) -> Page[ListedIntent]:
            return Page([], has_more=True)

    day.listing = ProcessorListing()
    with pytest.raises(CouldNotCompare):
        await day.compare()
