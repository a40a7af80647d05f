"""The processor's books against ours, in memory: one planted difference of every kind, and a clean day
that has none. The processor is the sandbox's own decision; what is planted, is planted behind the
service's back.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from compared_day import DECLINED, MANUAL, Day, the_one
from payment_examples import NOW, a_refund

from chassis.values import Reference, RequestId
from payment.domain.evidence import OutcomeUnknown, Page
from payment.domain.payment import Held, State
from payment.domain.refund import RefundState
from payment.domain.values import Money, PaymentMethod, PaymentName
from payment.reconciliation.comparison import Kind, ListedIntent
from sandbox.world import World
from verification.processor import SimulatedProcessor


@pytest.fixture
def day() -> Day:
    return Day()


# ---------------------------------------------------------------- what agrees


async def test_a_clean_day_has_no_difference_and_the_same_sums_on_both_sides(day: Day) -> None:
    paid = await day.pay(reference=Reference("order-1"))
    for amount in (300, 400):
        await day.refund_part(paid, amount)
    await day.pay(amount=Money(500, "JPY"))
    await day.pay(**DECLINED)
    held = await day.pay(**MANUAL)
    await day.change.cancel(PaymentName(held.id), RequestId(str(uuid4())))

    report = await day.compare()

    assert report.differences == []
    assert report.ours == report.theirs
    assert (report.ours["EUR"].payments, report.ours["EUR"].charged) == (1, 1000)
    assert (report.ours["EUR"].refunds, report.ours["EUR"].refunded) == (2, 700)
    assert report.ours["JPY"].charged == 500


async def test_only_the_time_that_was_asked_for_is_compared(day: Day) -> None:
    early = await day.pay()
    day.lose(early)
    day.later(hours=2)
    await day.pay()

    report = await day.compare(day.now - timedelta(hours=1))

    assert report.differences == []
    assert report.theirs["EUR"].payments == 1


async def test_a_payment_just_before_an_end_of_the_time_is_on_neither_side_alone(day: Day) -> None:
    """Its intent is made in the second before its row."""
    day.now = NOW + timedelta(minutes=60)
    await day.pay()
    (row,) = day.store.payments.values()
    day.alter(row, create_time=row.create_time + timedelta(seconds=1.5))

    day.processor.made.clear()
    before = await day.compare(NOW, until=NOW + timedelta(minutes=60, seconds=1))
    after = await day.compare(NOW + timedelta(minutes=60, seconds=1))

    assert before.differences == after.differences == []
    assert before.ours == before.theirs != {}
    assert after.ours == after.theirs == {}
    assert day.processor.made == [], "the lists overlap: nothing has to be asked for by itself"


async def test_many_pages_and_hours_are_compared(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payment.reconciliation.sources.ROWS", 3)
    monkeypatch.setattr("verification.processor.PAGE", 3)
    payments = []
    for _ in range(10):
        payments += [await day.pay(), await day.pay()]
        await day.refund_part(payments[-1], 100)
        day.later(minutes=11)

    report = await day.compare()

    assert report.differences == []
    assert report.ours == report.theirs
    assert (report.ours["EUR"].payments, report.ours["EUR"].refunds) == (20, 10)
    day.lose(payments[7])
    assert the_one(await day.compare()).intent_id == payments[7].intent_id
    day.processor.inner.view = World()
    unknown = {each.payment for each in (await day.compare()).differences}
    assert {str(each.name) for each in payments if each != payments[7]} <= unknown


# ---------------------------------------------------------------- one of each kind


async def test_a_charge_without_a_payment_is_found_and_named(day: Day) -> None:
    payment = await day.pay()
    day.lose(payment)

    found = the_one(await day.compare())

    assert (found.kind, found.intent_id) == (Kind.CHARGED_WITHOUT_PAYMENT, payment.intent_id)
    assert (found.ours, found.theirs) == (None, Money(1000, "EUR"))


async def test_a_hold_without_a_payment_is_found_too(day: Day) -> None:
    payment = await day.pay(**MANUAL)
    day.lose(payment)

    found = the_one(await day.compare())

    assert found.kind is Kind.CHARGED_WITHOUT_PAYMENT
    assert "held at the processor" in found.words


async def test_a_lost_payment_whose_money_was_given_back_is_no_difference(day: Day) -> None:
    payment = await day.pay()
    day.lose(payment)
    day.refund_in_the_dashboard(payment, 1000)

    report = await day.compare()

    assert report.differences == []
    assert report.refunded_strays == 1


async def test_one_request_charged_twice_is_told_as_such(day: Day) -> None:
    """What a retry does after a restore that nobody compared."""
    request_id = RequestId(str(uuid4()))
    lost = await day.pay(request_id=request_id)
    day.lose(lost)
    again = await day.pay(request_id=request_id)

    found = the_one(await day.compare())

    assert (found.kind, found.intent_id) == (Kind.CHARGED_TWICE, lost.intent_id)
    assert str(again.name) in found.words


async def test_two_lost_charges_of_one_request_are_told_as_such(day: Day) -> None:
    request_id = RequestId(str(uuid4()))
    for _ in range(2):
        day.lose(await day.pay(request_id=request_id))

    kinds = [each.kind for each in (await day.compare()).differences]

    assert sorted(kind.value for kind in kinds) == ["CHARGED_TWICE", "CHARGED_WITHOUT_PAYMENT"]


async def test_a_card_that_was_tried_without_a_payment_is_found(day: Day) -> None:
    payment = await day.pay(payment_method=PaymentMethod("pm_card_authenticationRequired"))
    assert payment.state is State.REQUIRES_ACTION
    day.lose(payment)

    found = the_one(await day.compare())

    assert found.kind is Kind.CONFIRMED_WITHOUT_PAYMENT
    assert day.status(payment.intent_id) == "requires_action", "nothing was canceled"


async def test_a_payment_that_the_processor_does_not_know_is_found(day: Day) -> None:
    payment = await day.pay()
    day.processor.inner.view = World()

    report = await day.compare()
    found = the_one(report)

    assert (found.kind, found.payment) == (Kind.UNKNOWN_TO_PROCESSOR, str(payment.name))
    assert found.ours == Money(1000, "EUR")
    assert (report.ours["EUR"].charged, report.theirs) == (1000, {})


async def test_a_deleted_payment_is_compared_too(day: Day) -> None:
    payment = await day.pay(**DECLINED)
    day.alter(payment, delete_time=day.now)
    day.processor.inner.view = World()

    assert the_one(await day.compare()).kind is Kind.UNKNOWN_TO_PROCESSOR


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
async def test_a_charge_of_a_payment_that_ended_without_money_is_found(
    day: Day, state: State
) -> None:
    payment = await day.pay()
    day.alter(payment, state=state, amount_captured=0)

    found = the_one(await day.compare())

    assert (found.kind, found.payment) == (Kind.STATES_CONTRADICT, str(payment.name))
    assert (found.ours, found.theirs) == (None, Money(1000, "EUR"))
    assert day.store.payments[payment.id].state is state, "a final row is never rewritten"


async def test_a_success_that_the_processor_canceled_is_found(day: Day) -> None:
    payment = await day.pay(**DECLINED)
    day.alter(payment, state=State.SUCCEEDED, amount_captured=1000)

    assert the_one(await day.compare()).kind is Kind.STATES_CONTRADICT


async def test_one_reference_charged_twice_is_told_as_such(day: Day) -> None:
    first = await day.pay(reference=Reference("order-1"))
    day.alter(first, state=State.FAILED, amount_captured=0)
    second = await day.pay(reference=Reference("order-1"))

    found = {each.kind: each for each in (await day.compare()).differences}

    assert found.keys() == {Kind.STATES_CONTRADICT, Kind.CHARGED_TWICE}
    assert str(second.name) in found[Kind.CHARGED_TWICE].words


async def test_another_captured_amount_is_found(day: Day) -> None:
    payment = await day.pay()
    day.alter(payment, amount_captured=900)

    report = await day.compare()
    found = the_one(report)

    assert found.kind is Kind.AMOUNTS_DIFFER
    assert (found.ours, found.theirs) == (Money(900, "EUR"), Money(1000, "EUR"))
    assert (report.ours["EUR"].charged, report.theirs["EUR"].charged) == (900, 1000)


async def test_an_intent_that_carries_another_payments_id_is_found(day: Day) -> None:
    one, other = await day.pay(), await day.pay()
    day.alter(one, intent_id=other.intent_id)
    day.alter(other, intent_id=one.intent_id)

    found = (await day.compare()).differences

    assert {each.payment for each in found} == {str(one.name), str(other.name)}
    assert {each.kind for each in found} == {Kind.AMOUNTS_DIFFER}
    assert "another payment's id" in found[0].words


async def test_another_currency_is_found(day: Day) -> None:
    payment = await day.pay()
    day.alter(payment, request=replace(payment.request, amount=Money(1000, "USD")))

    report = await day.compare()

    assert the_one(report).kind is Kind.AMOUNTS_DIFFER
    assert (report.ours["USD"].charged, report.theirs["EUR"].charged) == (1000, 1000)


async def test_a_held_payment_is_told_of(day: Day) -> None:
    payment = await day.pay(**MANUAL)
    day.alter(payment, held=Held("the amounts differ", NOW))

    found = the_one(await day.compare())

    assert found.kind is Kind.HELD
    assert "the amounts differ" in found.words


async def test_a_refund_made_in_the_dashboard_is_found(day: Day) -> None:
    payment = await day.pay()
    day.refund_in_the_dashboard(payment, 400)

    report = await day.compare()
    found = the_one(report)

    assert (found.kind, found.payment) == (Kind.REFUNDED_ELSEWHERE, str(payment.name))
    assert (found.ours, found.theirs) == (None, Money(400, "EUR"))
    assert (report.ours["EUR"].refunded, report.theirs["EUR"].refunded) == (0, 400)


async def test_a_refund_of_an_old_payment_is_found_in_the_time_it_was_made(day: Day) -> None:
    payment = await day.pay()
    day.later(days=9)
    day.refund_in_the_dashboard(payment, 400)

    assert the_one(await day.compare(day.now - timedelta(hours=1))).kind is Kind.REFUNDED_ELSEWHERE


async def test_a_refund_that_the_processor_does_not_know_is_found(day: Day) -> None:
    payment = await day.pay()
    refund = a_refund(
        id=uuid4(),
        payment_id=payment.id,
        intent_id=payment.intent_id,
        state=RefundState.SUCCEEDED,
        processor_id="re_nobodys",
        create_time=day.now,
    )
    day.store.refunds[refund.id] = refund
    day.alter(payment, amount_refunded=400)

    report = await day.compare()
    found = the_one(report)

    assert (found.kind, found.refund) == (Kind.REFUND_UNKNOWN_TO_PROCESSOR, str(refund.name))
    assert (report.ours["EUR"].refunded, report.theirs["EUR"].charged) == (400, 1000)


async def test_another_refunded_amount_is_found(day: Day) -> None:
    payment = await day.pay()
    refund = await day.refund_part(payment, 400)
    day.alter(refund, amount=300)
    day.alter(payment, amount_refunded=300)

    found = the_one(await day.compare())

    assert (found.kind, found.refund) == (Kind.REFUNDS_DIFFER, str(refund.name))
    assert (found.ours, found.theirs) == (Money(300, "EUR"), Money(400, "EUR"))


async def test_a_refund_that_failed_here_and_was_made_there_is_found(day: Day) -> None:
    payment = await day.pay()
    refund = await day.refund_part(payment, 400)
    day.alter(refund, state=RefundState.FAILED)
    day.alter(payment, amount_refunded=0)

    assert "FAILED here" in the_one(await day.compare()).words


async def test_a_sum_of_refunds_that_is_not_their_sum_is_found(day: Day) -> None:
    payment = await day.pay()
    await day.refund_part(payment, 400)
    day.alter(payment, amount_refunded=500)

    found = the_one(await day.compare())

    assert found.kind is Kind.REFUNDS_DIFFER
    assert (found.ours, found.theirs) == (Money(500, "EUR"), Money(400, "EUR"))


class Garbled(SimulatedProcessor):
    """Lists intents that cannot be read."""

    def __init__(self, inner: SimulatedProcessor) -> None:
        self.inner = inner

    async def intents(self, *window: Any) -> Page[ListedIntent] | OutcomeUnknown:
        page = await self.inner.intents(*window)
        assert isinstance(page, Page)
        return Page([replace(each, intent=None) for each in page.items], page.has_more)

    async def refunds_made(self, *window: Any) -> Any:
        return await self.inner.refunds_made(*window)


async def test_what_cannot_be_read_is_told_of_and_stops_nothing(day: Day) -> None:
    kept, lost = await day.pay(), await day.pay()
    day.lose(lost)
    day.listing = Garbled(day.processor.inner)

    found = (await day.compare()).differences

    assert [each.kind for each in found] == [Kind.UNREADABLE, Kind.UNREADABLE]
    assert {each.payment for each in found} == {str(kept.name), ""}
