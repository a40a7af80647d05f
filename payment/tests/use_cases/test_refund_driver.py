"""The driver of refunds: list, post, apply. A refund is paid out once, whatever is lost on the way."""

from uuid import uuid4

import pytest
from support.faults import LOST_REPLY, UNREACHABLE
from support.use_case_world import UseCaseWorld

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    ProcessorRefund,
    RefundStatus,
    Rejection,
    ServerError,
)
from payment.domain.payment import Payment
from payment.domain.refund import RefundState
from payment.domain.values import PaymentMethod
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


@pytest.fixture
async def payment(world: UseCaseWorld) -> Payment:
    """A payment of EUR 10 that succeeded."""
    return await world.pay()


# ---------------------------------------------------------------- a post without a reply


@pytest.mark.parametrize("fault", [LOST_REPLY, UNREACHABLE, ServerError()], ids=str)
async def test_a_refund_without_a_reply_is_looked_for_before_it_is_posted_again(
    world: UseCaseWorld, payment: Payment, fault: object
) -> None:
    world.processor.faults.plan("refund", fault)
    refund = await world.refund(payment)
    assert refund.state is RefundState.PENDING
    calls = len(world.processor.calls)
    result = await world.step_refund(refund)
    assert world.processor.calls[calls] == "refunds"
    assert result.resource.state is RefundState.SUCCEEDED
    assert await world.refunded_amount(payment) == 400


async def test_an_incomplete_list_changes_nothing(world: UseCaseWorld, payment: Payment) -> None:
    world.processor.faults.plan("refund", LOST_REPLY)
    refund = await world.refund(payment)
    world.processor.faults.plan("refunds", UNREACHABLE)
    result = await world.step_refund(refund)
    assert (result.resource, result.answered, result.unreachable) == (refund, False, True)


async def test_a_refund_is_not_posted_more_than_ten_seconds_after_the_list(
    world: UseCaseWorld, payment: Payment
) -> None:
    async def take_eleven_seconds() -> None:
        world.elapsed_seconds += 11

    world.processor.faults.plan("refund", UNREACHABLE)
    refund = await world.refund(payment)
    world.processor.faults.plan("refunds", take_eleven_seconds)
    assert (await world.step_refund(refund)).resource == refund
    assert world.processor.calls[-1] == "refunds"


async def test_a_refund_that_the_processor_has_is_never_posted_again(
    world: UseCaseWorld, payment: Payment
) -> None:
    async def accept() -> ProcessorRefund:
        (refund,) = world.store.refunds.values()
        return ProcessorRefund("re_slow", RefundStatus.PENDING, refund.amount, refund.id)

    world.processor.faults.plan("refund", accept)
    refund = await world.refund(payment)
    assert (refund.state, refund.processor_id) == (RefundState.PENDING, "re_slow")
    without_our_id = ProcessorRefund("re_slow", RefundStatus.SUCCEEDED, 400, refund_id=None)
    world.processor.faults.plan("refunds", [], [without_our_id])

    world.advance(days=2)  # the processor has forgotten its idempotency key
    await world.run_recovery()
    assert world.alerts == [Alert.REFUND_INCIDENT], "a refund that it had is not listed"
    world.advance(days=1)
    await world.run_recovery()

    assert (await world.current_refund(refund)).state is RefundState.SUCCEEDED
    assert world.processor.calls.count("refund") == 1


async def test_a_refund_that_two_replicas_step_at_once_is_paid_out_once(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", UNREACHABLE)
    refund = await world.refund(payment)

    async def step_concurrently() -> None:
        await world.step_refund(refund)

    world.processor.faults.plan("refund", step_concurrently)
    result = await world.step_refund(refund)
    assert result.resource.state is RefundState.SUCCEEDED
    assert await world.refunded_amount(payment) == 400


async def test_a_suspended_replica_does_not_post_a_refund_that_failed_meanwhile(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", UNREACHABLE)
    refund = await world.refund(payment)
    world.advance(seconds=30)
    (claimed,) = await world.refunds.claim_due(10)  # and here the replica is suspended
    world.advance(seconds=30)
    world.processor.faults.plan("refund", Rejection("balance_insufficient"))
    await world.run_recovery()
    assert (await world.current_refund(refund)).state is RefundState.FAILED
    assert (await world.refund(payment)).state is RefundState.SUCCEEDED

    world.advance(hours=25)  # the processor has forgotten the key, and its refusal
    await world.refund_driver.take_up(claimed)

    assert await world.refunded_amount(payment) == 400


# ---------------------------------------------------------------- a refusal


async def test_a_refused_refund_fails_when_the_list_read_after_the_refusal_is_without_it(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", Rejection("charge_disputed", message="No."))
    refund = await world.refund(payment)
    assert refund.state is RefundState.FAILED
    assert refund.failure is not None
    assert (refund.failure.code, refund.failure.message) == ("charge_disputed", "No.")
    assert (await world.current(payment)).amount_refunded == 0


async def test_a_refused_refund_succeeds_when_an_earlier_copy_of_the_call_did(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", LOST_REPLY, Rejection("charge_already_refunded"))
    refund = await world.refund(payment)
    result = await world.step_refund(refund, not_listed_at=0.0)
    assert result.resource.state is RefundState.SUCCEEDED


async def test_a_refusal_without_a_complete_list_after_it_is_not_believed(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", Rejection("charge_already_refunded"))
    world.processor.faults.plan("refunds", UNREACHABLE)
    refund = await world.refund(payment)
    assert refund.state is RefundState.PENDING


async def test_a_refusal_that_could_not_be_stored_within_a_minute_is_not_believed(
    world: UseCaseWorld, payment: Payment
) -> None:
    async def be_suspended_for_two_days() -> list[ProcessorRefund]:
        world.advance(days=2)  # the processor has forgotten the key, and its refusal
        await world.run_recovery()
        return []

    world.processor.faults.plan("refund", Rejection("balance_insufficient"), LOST_REPLY)
    world.processor.faults.plan("refunds", be_suspended_for_two_days)
    refund = await world.refund(payment)
    assert refund.state is RefundState.PENDING, "another copy may have been paid out"
    world.advance(minutes=1)
    await world.run_recovery()
    assert (await world.current_refund(refund)).state is RefundState.SUCCEEDED
    assert await world.refunded_amount(payment) == 400


# ---------------------------------------------------------------- contradictions


async def test_an_idempotency_key_conflict_raises_an_alert(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", IdempotencyKeyConflict())
    assert (await world.refund(payment)).state is RefundState.PENDING
    assert world.alerts == [Alert.REFUND_INCIDENT]


async def test_a_reply_about_another_refund_is_ignored_and_raises_an_alert(
    world: UseCaseWorld, payment: Payment
) -> None:
    other = ProcessorRefund("re_another", RefundStatus.SUCCEEDED, 400, uuid4())
    world.processor.faults.plan("refund", other)
    refund = await world.refund(payment)
    assert (refund.state, refund.processor_id) == (RefundState.PENDING, "")
    assert world.alerts == [Alert.REFUND_INCIDENT]


async def test_a_reply_with_another_amount_is_ignored_and_raises_an_alert(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.processor.faults.plan("refund", UNREACHABLE)
    refund = await world.refund(payment)
    other = ProcessorRefund("re_9", RefundStatus.SUCCEEDED, 401, refund.id)
    world.processor.faults.plan("refund", other)
    assert (await world.step_refund(refund)).resource == refund
    assert world.alerts == [Alert.REFUND_INCIDENT]


async def test_a_refund_that_is_no_longer_listed_stays_as_it_is_and_raises_an_alert(
    world: UseCaseWorld, payment: Payment
) -> None:
    refund = await world.refund(payment)
    assert refund.processor_id
    world.processor.faults.plan("refunds", [])
    assert (await world.step_refund(refund)).resource == refund
    assert world.alerts == [Alert.REFUND_INCIDENT]


# ---------------------------------------------------------------- after it succeeded


async def test_a_refund_that_a_bank_sends_back_fails_and_its_amount_can_be_refunded_again(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(payment_method=PaymentMethod("pm_card_refundFail"))
    refund = await world.refund(payment)
    assert refund.state is RefundState.SUCCEEDED
    world.advance(weeks=1, minutes=1)
    await world.run_recovery()
    assert (await world.current_refund(refund)).state is RefundState.FAILED
    assert (await world.current(payment)).amount_refunded == 0


async def test_a_step_that_finds_nothing_new_writes_nothing(
    world: UseCaseWorld, payment: Payment
) -> None:
    refund = await world.refund(payment)
    result = await world.step_refund(refund)
    assert result.resource == refund == await world.current_refund(refund)
