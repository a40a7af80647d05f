"""The differences that a reconciliation reports: one of each kind, made behind the service's back."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from support.examples import NOW, a_payment, a_refund
from support.reconciliation_world import (
    DECLINED,
    MANUAL_CAPTURE,
    THREE_D_SECURE,
    Listing,
    ReconciliationWorld,
    the_only_difference,
)

from chassis.values import Reference, RequestId
from payment.domain.evidence import Page, ProcessorRefund, RefundStatus
from payment.domain.payment import Held, State
from payment.domain.refund import RefundState
from payment.domain.values import Money
from payment.reconciliation.comparison import Kind, ListedIntent, refund_differences


@pytest.fixture
def world() -> ReconciliationWorld:
    return ReconciliationWorld()


# ---------------------------------------------------------------- charges without a payment


async def test_a_charge_without_a_payment_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay()
    world.lose(payment)

    report = await world.reconcile()

    difference = the_only_difference(report)
    assert difference.kind is Kind.CHARGED_WITHOUT_PAYMENT
    assert difference.intent_id == payment.intent_id
    assert difference.internal_amount is None
    assert difference.processor_amount == Money(1000, "EUR")
    assert (report.internal, report.processor["EUR"].charged) == ({}, 1000)


async def test_an_authorization_without_a_payment_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    world.lose(await world.pay(**MANUAL_CAPTURE))

    difference = the_only_difference(await world.reconcile())

    assert difference.kind is Kind.CHARGED_WITHOUT_PAYMENT
    assert "the processor holds the money" in difference.message


async def test_a_charge_without_a_payment_that_was_refunded_in_full_is_no_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.lose(payment)
    world.refund_in_dashboard(payment, 1000)

    report = await world.reconcile()

    assert report.differences == []
    assert report.refunded_orphans == 1


async def test_a_card_tried_without_a_payment_is_a_difference_and_is_not_canceled(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay(**THREE_D_SECURE)
    assert payment.state is State.REQUIRES_ACTION
    world.lose(payment)
    world.advance(hours=25)

    difference = the_only_difference(await world.reconcile(NOW))

    assert difference.kind is Kind.CONFIRMED_WITHOUT_PAYMENT
    assert world.status_of(payment.intent_id) == "requires_action"


async def test_a_request_charged_again_after_its_payment_was_lost_is_charged_twice(
    world: ReconciliationWorld,
) -> None:
    request_id = RequestId(str(uuid4()))
    lost = await world.pay(request_id=request_id)
    world.lose(lost)
    retried = await world.pay(request_id=request_id)

    difference = the_only_difference(await world.reconcile())

    assert (difference.kind, difference.intent_id) == (Kind.CHARGED_TWICE, lost.intent_id)
    assert str(retried.name) in difference.message


async def test_two_charges_of_one_request_without_a_payment_are_charged_twice(
    world: ReconciliationWorld,
) -> None:
    request_id = RequestId(str(uuid4()))
    for _ in range(2):
        world.lose(await world.pay(request_id=request_id))

    kinds = {each.kind for each in (await world.reconcile()).differences}

    assert kinds == {Kind.CHARGED_WITHOUT_PAYMENT, Kind.CHARGED_TWICE}


async def test_two_charges_of_one_reference_are_charged_twice(world: ReconciliationWorld) -> None:
    first = await world.pay(reference=Reference("order-1"))
    world.overwrite(first, state=State.FAILED, amount_captured=0)
    second = await world.pay(reference=Reference("order-1"))

    differences = {each.kind: each for each in (await world.reconcile()).differences}

    assert differences.keys() == {Kind.STATES_DIFFER, Kind.CHARGED_TWICE}
    assert str(second.name) in differences[Kind.CHARGED_TWICE].message


# ---------------------------------------------------------------- payments


async def test_a_payment_whose_intent_the_processor_does_not_have_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.empty_the_account()

    report = await world.reconcile()

    difference = the_only_difference(report)
    assert difference.kind is Kind.UNKNOWN_TO_PROCESSOR
    assert difference.payment == str(payment.name)
    assert difference.internal_amount == Money(1000, "EUR")
    assert (report.internal["EUR"].charged, report.processor) == (1000, {})


async def test_a_deleted_payment_is_compared_too(world: ReconciliationWorld) -> None:
    payment = await world.pay(**DECLINED)
    world.overwrite(payment, delete_time=world.now)
    world.empty_the_account()

    assert the_only_difference(await world.reconcile()).kind is Kind.UNKNOWN_TO_PROCESSOR


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
async def test_a_charge_of_a_payment_that_ended_without_money_is_a_difference(
    world: ReconciliationWorld, state: State
) -> None:
    payment = await world.pay()
    world.overwrite(payment, state=state, amount_captured=0)

    difference = the_only_difference(await world.reconcile())

    assert (difference.kind, difference.payment) == (Kind.STATES_DIFFER, str(payment.name))
    assert difference.internal_amount is None
    assert difference.processor_amount == Money(1000, "EUR")
    assert world.store.payments[payment.id].state is state, "a final state is never overwritten"


async def test_a_succeeded_payment_whose_intent_is_canceled_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay(**DECLINED)
    world.overwrite(payment, state=State.SUCCEEDED, amount_captured=1000)

    assert the_only_difference(await world.reconcile()).kind is Kind.STATES_DIFFER


async def test_another_captured_amount_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay()
    world.overwrite(payment, amount_captured=900)

    report = await world.reconcile()

    difference = the_only_difference(report)
    assert difference.kind is Kind.AMOUNTS_DIFFER
    assert difference.internal_amount == Money(900, "EUR")
    assert difference.processor_amount == Money(1000, "EUR")
    assert (report.internal["EUR"].charged, report.processor["EUR"].charged) == (900, 1000)


async def test_another_currency_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay()
    world.overwrite(payment, request=replace(payment.request, amount=Money(1000, "USD")))

    report = await world.reconcile()

    assert the_only_difference(report).kind is Kind.AMOUNTS_DIFFER
    assert (report.internal["USD"].charged, report.processor["EUR"].charged) == (1000, 1000)


async def test_an_intent_that_names_another_payment_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    one, other = await world.pay(), await world.pay()
    world.overwrite(one, intent_id=other.intent_id)
    world.overwrite(other, intent_id=one.intent_id)

    differences = (await world.reconcile()).differences

    assert {each.payment for each in differences} == {str(one.name), str(other.name)}
    assert {each.kind for each in differences} == {Kind.AMOUNTS_DIFFER}
    assert "another payment's id" in differences[0].message


async def test_a_held_payment_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay(**MANUAL_CAPTURE)
    world.overwrite(payment, held=Held("the amounts differ", NOW))

    difference = the_only_difference(await world.reconcile())

    assert difference.kind is Kind.HELD
    assert "the amounts differ" in difference.message


# ---------------------------------------------------------------- refunds


async def test_a_refund_made_in_the_dashboard_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay()
    world.refund_in_dashboard(payment, 400)

    report = await world.reconcile()

    difference = the_only_difference(report)
    assert (difference.kind, difference.payment) == (Kind.REFUNDED_ELSEWHERE, str(payment.name))
    assert difference.internal_amount is None
    assert difference.processor_amount == Money(400, "EUR")
    assert (report.internal["EUR"].refunded, report.processor["EUR"].refunded) == (0, 400)


async def test_a_refund_is_compared_in_the_time_it_was_made_and_not_its_payments(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    world.advance(days=9)
    world.refund_in_dashboard(payment, 400)

    report = await world.reconcile(world.now - timedelta(hours=1))

    assert the_only_difference(report).kind is Kind.REFUNDED_ELSEWHERE


async def test_a_refund_that_the_processor_does_not_have_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    refund = a_refund(
        id=uuid4(),
        payment_id=payment.id,
        intent_id=payment.intent_id,
        state=RefundState.SUCCEEDED,
        processor_id="re_unknown",
        create_time=world.now,
    )
    world.store.refunds[refund.id] = refund
    world.overwrite(payment, amount_refunded=400)

    report = await world.reconcile()

    difference = the_only_difference(report)
    assert difference.kind is Kind.REFUND_UNKNOWN_TO_PROCESSOR
    assert difference.refund == str(refund.name)
    assert (report.internal["EUR"].refunded, report.processor["EUR"].refunded) == (400, 0)


async def test_another_refunded_amount_is_a_difference(world: ReconciliationWorld) -> None:
    payment = await world.pay()
    refund = await world.refund(payment, 400)
    world.overwrite(refund, amount=300)
    world.overwrite(payment, amount_refunded=300)

    difference = the_only_difference(await world.reconcile())

    assert (difference.kind, difference.refund) == (Kind.REFUNDS_DIFFER, str(refund.name))
    assert difference.internal_amount == Money(300, "EUR")
    assert difference.processor_amount == Money(400, "EUR")


async def test_a_failed_refund_that_the_processor_paid_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    refund = await world.refund(payment, 400)
    world.overwrite(refund, state=RefundState.FAILED)
    world.overwrite(payment, amount_refunded=0)

    difference = the_only_difference(await world.reconcile())

    assert difference.kind is Kind.REFUNDS_DIFFER
    assert "the refund is FAILED" in difference.message


async def test_a_refunded_amount_that_is_not_the_sum_of_the_refunds_is_a_difference(
    world: ReconciliationWorld,
) -> None:
    payment = await world.pay()
    await world.refund(payment, 400)
    world.overwrite(payment, amount_refunded=500)

    difference = the_only_difference(await world.reconcile())

    assert difference.kind is Kind.REFUNDS_DIFFER
    assert difference.internal_amount == Money(500, "EUR")
    assert difference.processor_amount == Money(400, "EUR")


async def test_more_refunds_than_a_page_holds_are_compared(
    world: ReconciliationWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payment.reconciliation.sources.PAGE_SIZE", 2)
    payment = await world.pay()
    for _ in range(5):
        await world.refund(payment, 100)
    world.refund_in_dashboard(payment, 100)

    assert the_only_difference(await world.reconcile()).kind is Kind.REFUNDED_ELSEWHERE


def test_a_refund_that_the_processor_paid_twice_is_a_difference() -> None:
    payment = a_payment(State.SUCCEEDED, amount_refunded=400)
    refund = a_refund(state=RefundState.SUCCEEDED, processor_id="re_1")
    paid = [
        ProcessorRefund(each, RefundStatus.SUCCEEDED, 400, refund.id) for each in ("re_1", "re_2")
    ]

    (difference,) = refund_differences(payment, [refund], paid)

    assert (difference.kind, difference.refund) == (Kind.REFUNDS_DIFFER, str(refund.name))
    assert difference.internal_amount == Money(400, "EUR")
    assert difference.processor_amount == Money(800, "EUR")


def test_a_refund_whose_metadata_was_edited_is_found_by_the_processors_id() -> None:
    payment = a_payment(State.SUCCEEDED, amount_refunded=400)
    refund = a_refund(state=RefundState.SUCCEEDED, processor_id="re_1")
    paid = ProcessorRefund("re_1", RefundStatus.SUCCEEDED, 400, refund_id=None)

    assert list(refund_differences(payment, [refund], [paid])) == []


# ---------------------------------------------------------------- what cannot be read


async def test_an_intent_that_cannot_be_read_is_a_difference_and_stops_nothing(
    world: ReconciliationWorld,
) -> None:
    recorded, lost = await world.pay(), await world.pay()
    world.lose(lost)

    def without_intents(page: Page[ListedIntent]) -> Page[ListedIntent]:
        return Page([replace(each, intent=None) for each in page.items], page.has_more)

    world.listing = Listing(world.listing, without_intents)

    differences = (await world.reconcile()).differences

    assert [each.kind for each in differences] == [Kind.UNREADABLE, Kind.UNREADABLE]
    assert {each.payment for each in differences} == {str(recorded.name), ""}
