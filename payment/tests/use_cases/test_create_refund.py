"""CreateRefund: the request, the reservation of its amount, and repeated requests."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from support.faults import FAILS_AFTER_COMMIT, FAILS_BEFORE_COMMIT
from support.use_case_world import UseCaseWorld, refund_request

from chassis.aip.resources import Snapshot
from payment.domain.errors import (
    AmountTooLarge,
    PaymentNotFound,
    RefundNotFound,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.payment import Payment
from payment.domain.refund import RefundReason, RefundState
from payment.domain.values import Money, PaymentName, RequestPart


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


@pytest.fixture
async def payment(world: UseCaseWorld) -> Payment:
    """A payment of EUR 10 that succeeded."""
    return await world.pay()


async def test_a_part_is_refunded_and_added_to_the_payments_sum(
    world: UseCaseWorld, payment: Payment
) -> None:
    refund = await world.create_refund(refund_request(payment, reason=RefundReason.DUPLICATE))
    assert (refund.state, refund.amount) == (RefundState.SUCCEEDED, 400)
    assert refund.reason is RefundReason.DUPLICATE
    assert (await world.current(payment)).amount_refunded == 400
    assert await world.refunded_amount(payment) == 400
    assert await world.current_refund(refund) == refund
    assert await world.refunds.list(payment.id, 10, None) == [refund]


async def test_without_an_amount_all_that_is_left_is_refunded(
    world: UseCaseWorld, payment: Payment
) -> None:
    await world.refund(payment, 400)
    assert (await world.refund(payment, None)).amount == 600


async def test_more_than_is_left_is_not_refunded(world: UseCaseWorld, payment: Payment) -> None:
    await world.refund(payment, None)
    with pytest.raises(AmountTooLarge):
        await world.refund(payment, 1)


async def test_a_repeated_request_gets_the_same_refund(
    world: UseCaseWorld, payment: Payment
) -> None:
    request = refund_request(payment)
    refund = await world.create_refund(request)
    assert await world.create_refund(request) == refund
    assert await world.refunded_amount(payment) == 400


async def test_a_repeated_request_id_with_other_content_is_refused(
    world: UseCaseWorld, payment: Payment
) -> None:
    request = refund_request(payment)
    await world.create_refund(request)
    with pytest.raises(RequestIdReused):
        await world.create_refund(replace(request, amount=None))
    with pytest.raises(RequestIdReused):
        of_the_payment = replace(request, request_id=payment.request.request_id)
        await world.create_refund(of_the_payment)


async def test_a_concurrent_copy_of_a_refund_is_not_refused_for_the_refund_itself(
    world: UseCaseWorld, payment: Payment
) -> None:
    request = refund_request(payment, 1000)
    get = world.payments.get

    async def refund_then_get(payment_id: UUID) -> Snapshot[Payment]:
        """The other copy is faster: it refunds all between our look-up of the request and our read."""
        world.payments.get = get  # type: ignore[method-assign]
        await world.create_refund(request)
        return await get(payment_id)

    world.payments.get = refund_then_get  # type: ignore[method-assign]
    refund = await world.create_refund(request)
    assert refund.state is RefundState.SUCCEEDED
    assert await world.refunded_amount(payment) == 1000


async def test_a_refund_of_an_unknown_payment_is_not_found(
    world: UseCaseWorld, payment: Payment
) -> None:
    unknown = replace(refund_request(payment), payment=PaymentName(uuid4()))
    with pytest.raises(PaymentNotFound):
        await world.create_refund(unknown)
    with pytest.raises(RefundNotFound):
        await world.refunds.get(payment.id, uuid4())


async def test_an_amount_that_the_processors_units_cannot_express_is_refused(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(amount=Money(1000, "KWD"))
    with pytest.raises(RefusedByProcessor) as error:
        await world.refund(payment, 999)
    assert (error.value.part, error.value.operation) == (RequestPart.AMOUNT, "refund")
    assert not world.store.refunds


@pytest.mark.parametrize("fault", [FAILS_BEFORE_COMMIT, FAILS_AFTER_COMMIT])
async def test_an_insert_without_an_answer_makes_one_refund(
    world: UseCaseWorld, payment: Payment, fault: object
) -> None:
    world.refunds.faults.plan("insert", fault)
    await world.refund(payment)
    world.advance(seconds=26)
    await world.run_recovery()
    assert len(world.store.refunds) == 1
    assert await world.refunded_amount(payment) == 400


async def test_an_insert_that_never_gets_an_answer_is_given_up(
    world: UseCaseWorld, payment: Payment
) -> None:
    world.refunds.faults.plan("insert", *[FAILS_BEFORE_COMMIT] * 5)
    with pytest.raises(TryAgain):
        await world.refund(payment)


async def test_of_two_concurrent_refunds_that_exceed_the_rest_one_is_refused(
    world: UseCaseWorld, payment: Payment
) -> None:
    async def refund_concurrently() -> None:
        await world.refund(payment, 700)

    world.refunds.faults.plan("insert", refund_concurrently)
    with pytest.raises(AmountTooLarge):
        await world.refund(payment, 700)
    assert await world.refunded_amount(payment) == 700
