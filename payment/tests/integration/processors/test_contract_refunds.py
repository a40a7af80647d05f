"""The contract of the port `Processor`, on everything that claims to be one: refunds; and the
table of what each target cannot do.
"""

from pathlib import Path

from support.processor_examples import a_confirmed_payment, a_payment, a_refund_of
from support.processors import CANNOT, Target

from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundStatus, Rejection
from payment.domain.refund import RefundReason
from payment.domain.values import Money


async def test_the_whole_is_given_back(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refund = a_refund_of(payment, 2000)

    word = await target.processor.refund(refund)

    assert isinstance(word, ProcessorRefund)
    assert (word.status, word.amount) == (RefundStatus.SUCCEEDED, 2000)
    assert word.refund_id == refund.id
    assert await target.processor.refunds(payment.intent_id) == [word]


async def test_parts_are_given_back_and_each_is_listed_with_our_id(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    parts = [a_refund_of(payment, amount) for amount in (700, 1300)]
    for part in parts:
        await target.processor.refund(part)

    listed = await target.processor.refunds(payment.intent_id)

    assert not isinstance(listed, OutcomeUnknown)
    assert {(one.refund_id, one.amount) for one in listed} == {
        (part.id, part.amount) for part in parts
    }


async def test_a_refund_sent_again_is_one_refund(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refund = a_refund_of(payment, 700)

    first = await target.processor.refund(refund)
    again = await target.processor.refund(refund)

    assert isinstance(first, ProcessorRefund)
    assert first == again
    assert await target.processor.refunds(payment.intent_id) == [first]


async def test_a_refund_may_have_a_reason(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    word = await target.processor.refund(
        a_refund_of(payment, 700, reason=RefundReason.REQUESTED_BY_CUSTOMER)
    )

    assert isinstance(word, ProcessorRefund)


async def test_refunding_more_than_is_left_is_refused(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    given = await target.processor.refund(a_refund_of(payment, 1500))

    reply = await target.processor.refund(a_refund_of(payment, 501))

    assert isinstance(reply, Rejection)
    assert await target.processor.refunds(payment.intent_id) == [given]


async def test_refunding_before_the_charge_is_refused(target: Target) -> None:
    payment = await a_payment(target)

    assert isinstance(await target.processor.refund(a_refund_of(payment, 700)), Rejection)


async def test_refunding_an_amount_that_stripe_cannot_say_is_refused(target: Target) -> None:
    payment = await a_confirmed_payment(target, amount=Money(5120, "KWD"))

    assert isinstance(await target.processor.refund(a_refund_of(payment, 11)), Rejection)


async def test_a_charge_that_was_not_refunded_has_an_empty_list(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    assert await target.processor.refunds(payment.intent_id) == []


async def test_an_intent_that_was_never_charged_has_no_refunds(target: Target) -> None:
    payment = await a_payment(target)

    assert await target.processor.refunds(payment.intent_id) == []


async def test_the_refunds_of_an_intent_that_is_not_known_are_not_known(target: Target) -> None:
    assert isinstance(await target.processor.refunds("pi_nobodyhasthis"), OutcomeUnknown)


async def test_a_list_of_several_pages_is_given_whole(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refunds = [a_refund_of(payment, 1) for _ in range(101)]
    for refund in refunds:
        await target.processor.refund(refund)

    listed = await target.processor.refunds(payment.intent_id)

    assert not isinstance(listed, OutcomeUnknown)
    assert len(listed) == len(refunds)
    assert {one.refund_id for one in listed} == {refund.id for refund in refunds}


def test_what_the_table_says_cannot_be_done_is_the_name_of_a_test() -> None:
    suite = "".join(file.read_text() for file in Path(__file__).parent.glob("test_contract_*.py"))

    assert not [
        name for cannot in CANNOT.values() for name in cannot if f"def {name}(" not in suite
    ]
