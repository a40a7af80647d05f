"""Money back: once, whatever is lost on the way."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from small_world import BREAKS, BREAKS_AFTER, LOST, SILENCE, SmallWorld

from chassis.aip.resources import Snapshot
from chassis.values import RequestId
from payment.domain.errors import (
    AmountTooLarge,
    PaymentNotFound,
    RefundNotFound,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    ProcessorRefund,
    RefundStatus,
    Rejection,
    ServerError,
)
from payment.domain.payment import Payment
from payment.domain.refund import Refund, RefundReason, RefundRequest, RefundState
from payment.domain.values import Money, PaymentMethod, PaymentName, RequestPart
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> SmallWorld:
    return SmallWorld()


@pytest.fixture
async def payment(world: SmallWorld) -> Payment:
    return await world.pay()


def a_request(payment: Payment, amount: int | None = 400, **said: Any) -> RefundRequest:
    money = None if amount is None else Money(amount, payment.request.amount.currency_code)
    return RefundRequest(RequestId(str(uuid4())), payment.name, money, **said)


async def refunded(world: SmallWorld, payment: Payment) -> int:
    """What the processor gave back: the truth."""
    listed = await world.processor.inner.refunds(payment.intent_id)
    assert isinstance(listed, list)
    return sum(word.amount for word in listed)


async def test_a_part_goes_back_and_the_payment_says_so(
    world: SmallWorld, payment: Payment
) -> None:
    refund = await world.create_refund(a_request(payment, reason=RefundReason.DUPLICATE))
    assert (refund.state, refund.amount) == (RefundState.SUCCEEDED, 400)
    assert (await world.payment(payment.id)).amount_refunded == 400
    assert await refunded(world, payment) == 400
    assert await world.refund(refund) == refund
    assert await world.refunds.list(payment.id, 10, None) == [refund]


async def test_without_an_amount_all_that_is_left_goes_back(
    world: SmallWorld, payment: Payment
) -> None:
    await world.create_refund(a_request(payment))
    rest = await world.create_refund(a_request(payment, None))
    assert rest.amount == 600
    with pytest.raises(AmountTooLarge):
        await world.create_refund(a_request(payment, 1))


async def test_the_same_request_gets_the_same_refund(world: SmallWorld, payment: Payment) -> None:
    request = a_request(payment)
    refund = await world.create_refund(request)
    assert await world.create_refund(request) == refund
    assert await refunded(world, payment) == 400
    with pytest.raises(RequestIdReused):
        await world.create_refund(replace(request, amount=None))
    with pytest.raises(RequestIdReused):
        creation = replace(request, request_id=payment.request.request_id)
        await world.create_refund(creation)


async def test_a_twin_is_not_told_that_its_own_refund_took_the_money(
    world: SmallWorld, payment: Payment
) -> None:
    request = a_request(payment, 1000)
    get = world.payments.get

    async def get_after_the_twin(payment_id: UUID) -> Snapshot[Payment]:
        world.payments.get = get  # type: ignore[method-assign]
        await world.create_refund(request)
        return await get(payment_id)

    world.payments.get = get_after_the_twin  # type: ignore[method-assign]
    refund = await world.create_refund(request)
    assert refund.state is RefundState.SUCCEEDED
    assert await refunded(world, payment) == 1000


async def test_what_is_not_there_is_not_refunded(world: SmallWorld, payment: Payment) -> None:
    nobody = PaymentName(uuid4())
    with pytest.raises(PaymentNotFound):
        await world.create_refund(replace(a_request(payment), payment=nobody))
    with pytest.raises(RefundNotFound):
        await world.refunds.get(payment.id, uuid4())


async def test_an_amount_that_the_processor_cannot_say_is_not_accepted(world: SmallWorld) -> None:
    payment = await world.pay(amount=Money(1000, "KWD"))
    with pytest.raises(RefusedByProcessor) as error:
        await world.create_refund(a_request(payment, 999))
    assert (error.value.part, error.value.operation) == (RequestPart.AMOUNT, "refund")


@pytest.mark.parametrize("trouble", [BREAKS, BREAKS_AFTER])
async def test_a_database_that_breaks_makes_one_refund(
    world: SmallWorld, payment: Payment, trouble: str
) -> None:
    world.refunds.troubles = [trouble]
    await world.create_refund(a_request(payment))
    world.later(seconds=26)
    await world.recover()
    assert len(world.store.refunds) == 1
    assert await refunded(world, payment) == 400


async def test_a_refund_that_is_always_overtaken_is_given_up(
    world: SmallWorld, payment: Payment
) -> None:
    world.refunds.troubles = [BREAKS] * 5
    with pytest.raises(TryAgain):
        await world.create_refund(a_request(payment))


async def test_the_last_money_goes_to_one_of_two(world: SmallWorld, payment: Payment) -> None:
    async def the_other() -> None:
        await world.create_refund(a_request(payment, 700))

    world.refunds.troubles = [the_other]
    with pytest.raises(AmountTooLarge):
        await world.create_refund(a_request(payment, 700))
    assert await refunded(world, payment) == 700


@pytest.mark.parametrize("trouble", [LOST, SILENCE, ServerError()])
async def test_a_refund_without_an_answer_is_looked_for_before_it_is_sent_again(
    world: SmallWorld, payment: Payment, trouble: object
) -> None:
    world.processor.troubles["refund"] = [trouble]
    refund = await world.create_refund(a_request(payment))
    assert refund.state is RefundState.PENDING
    stepped = await world.step_refund(refund)
    assert stepped.resource.state is RefundState.SUCCEEDED
    assert await refunded(world, payment) == 400


async def test_a_list_that_is_not_complete_proves_nothing(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [LOST]
    refund = await world.create_refund(a_request(payment))
    world.processor.troubles["refunds"] = [SILENCE]
    stepped = await world.step_refund(refund)
    assert (stepped.resource, stepped.unreachable) == (refund, True)


async def test_a_refund_that_leaves_too_late_is_looked_for_again(
    world: SmallWorld, payment: Payment
) -> None:
    async def a_slow_list() -> None:
        world.seconds += 11

    world.processor.troubles["refund"] = [SILENCE]
    refund = await world.create_refund(a_request(payment))
    world.processor.troubles["refunds"] = [a_slow_list]
    assert (await world.step_refund(refund)).resource == refund
    assert world.processor.made[-1] == "refunds"


async def test_a_refusal_counts_when_the_list_read_after_it_is_without_the_refund(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [Rejection("charge_disputed", message="No.")]
    refund = await world.create_refund(a_request(payment))
    assert refund.state is RefundState.FAILED
    assert refund.failure is not None
    assert refund.failure.code == "charge_disputed"
    assert (await world.payment(payment.id)).amount_refunded == 0


async def test_a_refusal_after_an_earlier_copy_worked_is_no_failure(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [LOST, Rejection("charge_already_refunded")]
    refund = await world.create_refund(a_request(payment))
    taken = await world.step_refund(refund, not_listed_at=0.0)
    assert taken.resource.state is RefundState.SUCCEEDED


async def test_a_refusal_that_cannot_be_checked_is_not_believed(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [Rejection("charge_already_refunded")]
    world.processor.troubles["refunds"] = [SILENCE]
    refund = await world.create_refund(a_request(payment))
    assert refund.state is RefundState.PENDING


async def test_what_must_not_be_wakes_a_person(world: SmallWorld, payment: Payment) -> None:
    world.processor.troubles["refund"] = [IdempotencyKeyConflict()]
    pending = await world.create_refund(a_request(payment))
    other = ProcessorRefund("re_9", RefundStatus.SUCCEEDED, 401, pending.id)
    world.processor.troubles["refund"] = [other]
    assert (await world.step_refund(pending)).resource == pending
    done = (await world.step_refund(pending)).resource
    assert done.state is RefundState.SUCCEEDED
    world.processor.troubles["refunds"] = [[]]
    assert (await world.step_refund(done)).resource == done
    assert world.alerts == [Alert.REFUND_INCIDENT] * 3


async def test_a_refund_that_two_replicas_bring_to_its_end_is_one(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [SILENCE]
    refund = await world.create_refund(a_request(payment))

    async def another_replica() -> None:
        await world.step_refund(refund)

    world.processor.troubles["refund"] = [another_replica]
    stepped = await world.step_refund(refund)
    assert stepped.resource.state is RefundState.SUCCEEDED
    assert await refunded(world, payment) == 400


async def test_a_refund_that_a_bank_sends_back_is_failed_and_its_amount_free(
    world: SmallWorld,
) -> None:
    payment = await world.pay(payment_method=PaymentMethod("pm_card_refundFail"))
    refund = await world.create_refund(a_request(payment))
    assert refund.state is RefundState.SUCCEEDED
    world.later(weeks=1, minutes=1)
    await world.recover()
    found = await world.refund(refund)
    assert found.state is RefundState.FAILED
    assert (await world.payment(payment.id)).amount_refunded == 0


async def test_what_is_as_it_was_is_not_written_again(world: SmallWorld, payment: Payment) -> None:
    refund: Refund = await world.create_refund(a_request(payment))
    stepped = await world.step_refund(refund)
    assert stepped.resource == refund


async def test_a_refund_that_the_processor_has_is_never_sent_again(
    world: SmallWorld, payment: Payment
) -> None:
    async def takes_days() -> ProcessorRefund:
        (sent,) = world.store.refunds.values()
        return ProcessorRefund("re_slow", RefundStatus.PENDING, sent.amount, sent.id)

    world.processor.troubles["refund"] = [takes_days]
    refund = await world.create_refund(a_request(payment))
    assert (refund.state, refund.processor_id) == (RefundState.PENDING, "re_slow")
    edited = ProcessorRefund("re_slow", RefundStatus.SUCCEEDED, 400, refund_id=None)
    world.processor.troubles["refunds"] = [[], [edited]]

    world.later(days=2)  # its key is forgotten
    await world.recover()
    assert world.alerts == [Alert.REFUND_INCIDENT], "it was there, and is not listed"
    world.later(days=1)
    await world.recover()

    assert (await world.refund(refund)).state is RefundState.SUCCEEDED
    assert world.processor.made.count("refund") == 1


async def test_a_replica_that_slept_does_not_send_what_has_failed_meanwhile(
    world: SmallWorld, payment: Payment
) -> None:
    world.processor.troubles["refund"] = [SILENCE]
    refund = await world.create_refund(a_request(payment))
    world.later(seconds=30)
    (asleep,) = await world.refunds.claim_due(10)
    world.later(seconds=30)
    world.processor.troubles["refund"] = [Rejection("balance_insufficient")]
    await world.recover()
    assert (await world.refund(refund)).state is RefundState.FAILED
    anew = await world.create_refund(a_request(payment))
    assert anew.state is RefundState.SUCCEEDED

    world.later(hours=25)  # the key is forgotten, and the refusal with it
    await world.refund_driver.take_up(asleep)

    assert await refunded(world, payment) == 400


async def test_an_answer_about_another_refund_is_not_taken(
    world: SmallWorld, payment: Payment
) -> None:
    another = ProcessorRefund("re_another", RefundStatus.SUCCEEDED, 400, uuid4())
    world.processor.troubles["refund"] = [another]
    refund = await world.create_refund(a_request(payment))
    assert (refund.state, refund.processor_id) == (RefundState.PENDING, "")
    assert world.alerts == [Alert.REFUND_INCIDENT]


async def test_a_refusal_that_was_heard_long_ago_is_not_believed(
    world: SmallWorld, payment: Payment
) -> None:
    async def asleep_with_the_answer() -> list[ProcessorRefund]:
        world.later(days=2)  # the key is forgotten, and the refusal with it
        await world.recover()
        return []

    world.processor.troubles["refund"] = [Rejection("balance_insufficient"), LOST]
    world.processor.troubles["refunds"] = [asleep_with_the_answer]
    refund = await world.create_refund(a_request(payment))
    assert refund.state is RefundState.PENDING, "another copy may have been paid out"
    world.later(minutes=1)
    await world.recover()
    assert (await world.refund(refund)).state is RefundState.SUCCEEDED
    assert await refunded(world, payment) == 400
