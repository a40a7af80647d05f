"""The contract of the port `Processor`, on each target: refunds; and the table of what targets cannot do."""

from pathlib import Path

from support.processor_examples import a_confirmed_payment, a_payment, a_refund_of
from support.processors import CANNOT, Target

from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundStatus, Rejection
from payment.domain.refund import RefundReason
from payment.domain.values import Money


async def test_a_refund_of_the_whole_amount_succeeds_and_is_listed_with_our_id(
    target: Target,
) -> None:
    payment = await a_confirmed_payment(target)
    refund = a_refund_of(payment, 2000)

    refunded = await target.processor.refund(refund)

    assert isinstance(refunded, ProcessorRefund)
    assert (refunded.status, refunded.amount) == (RefundStatus.SUCCEEDED, 2000)
    assert refunded.refund_id == refund.id
    assert await target.processor.refunds(payment.intent_id) == [refunded]


async def test_each_refund_of_a_part_is_listed_with_our_id(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    parts = [a_refund_of(payment, amount) for amount in (700, 1300)]
    for part in parts:
        await target.processor.refund(part)

    listed = await target.processor.refunds(payment.intent_id)

    assert not isinstance(listed, OutcomeUnknown)
    assert {(each.refund_id, each.amount) for each in listed} == {
        (part.id, part.amount) for part in parts
    }


async def test_a_refund_sent_again_is_made_once(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refund = a_refund_of(payment, 700)

    first = await target.processor.refund(refund)
    again = await target.processor.refund(refund)

    assert isinstance(first, ProcessorRefund)
    assert first == again
    assert await target.processor.refunds(payment.intent_id) == [first]


async def test_a_refund_may_have_a_reason(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    refunded = await target.processor.refund(
        a_refund_of(payment, 700, reason=RefundReason.REQUESTED_BY_CUSTOMER)
    )

    assert isinstance(refunded, ProcessorRefund)


async def test_a_refund_of_more_than_is_left_is_refused(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    first = await target.processor.refund(a_refund_of(payment, 1500))

    reply = await target.processor.refund(a_refund_of(payment, 501))

    assert isinstance(reply, Rejection)
    assert await target.processor.refunds(payment.intent_id) == [first]


async def test_a_refund_before_the_charge_is_refused(target: Target) -> None:
    payment = await a_payment(target)

    assert isinstance(await target.processor.refund(a_refund_of(payment, 700)), Rejection)


async def test_a_refund_of_an_amount_that_stripes_units_cannot_express_is_refused(
    target: Target,
) -> None:
    payment = await a_confirmed_payment(target, amount=Money(5120, "KWD"))

    assert isinstance(await target.processor.refund(a_refund_of(payment, 11)), Rejection)


async def test_a_charge_without_refunds_has_an_empty_list(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    assert await target.processor.refunds(payment.intent_id) == []


async def test_an_unconfirmed_intent_has_an_empty_list_of_refunds(target: Target) -> None:
    payment = await a_payment(target)

    assert await target.processor.refunds(payment.intent_id) == []


async def test_the_list_of_refunds_of_an_unknown_intent_is_unknown(target: Target) -> None:
    assert isinstance(await target.processor.refunds("pi_nobodyhasthis"), OutcomeUnknown)


async def test_a_list_of_refunds_on_several_pages_is_complete(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refunds = [a_refund_of(payment, 1) for _ in range(101)]
    for refund in refunds:
        await target.processor.refund(refund)

    listed = await target.processor.refunds(payment.intent_id)

    assert not isinstance(listed, OutcomeUnknown)
    assert len(listed) == len(refunds)
    assert {each.refund_id for each in listed} == {refund.id for refund in refunds}


def test_every_name_in_the_table_of_what_targets_cannot_do_is_that_of_a_test() -> None:
    suite = "".join(file.read_text() for file in Path(__file__).parent.glob("test_contract_*.py"))

    assert not [
        name for cannot in CANNOT.values() for name in cannot if f"def {name}(" not in suite
    ]
