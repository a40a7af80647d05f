"""The way of a payment, from the request to its first answer, and what may go wrong on it."""

from dataclasses import replace

import pytest
from payment_examples import INSTALLATION
from small_world import (
    BREAKS,
    BREAKS_AFTER,
    LOST,
    SILENCE,
    Caller,
    OneCustomer,
    SmallWorld,
    a_request,
)

from chassis.values import Reference
from payment.domain.customer import Customer, CustomerStatus
from payment.domain.errors import (
    CustomerBlocked,
    CustomerDeleted,
    CustomerNotFound,
    CustomerServiceUnavailable,
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.events import EventType
from payment.domain.evidence import IdempotencyKeyConflict, OutcomeUnknown, ServerError
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.values import CustomerName, Money, PaymentMethod, RequestPart, ReturnUrl
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> SmallWorld:
    return SmallWorld()


def told(world: SmallWorld) -> list[EventType]:
    return [event.type for event in world.store.events]


async def test_a_good_card_is_charged_once_in_two_commits(world: SmallWorld) -> None:
    payment = await world.pay()
    assert (payment.state, payment.amount_captured) == (State.SUCCEEDED, 1000)
    assert payment.customer_etag == '"7"'
    assert told(world) == [EventType.CREATED, EventType.SUCCEEDED]
    assert world.processor.made == ["create", "confirm"]
    assert world.charges == 1


async def test_the_same_request_gets_the_same_payment_and_wins_over_every_other_answer(
    world: SmallWorld,
) -> None:
    request = a_request()
    first = await world.create_payment(request, world.caller)
    world.customers.says = Customer(CustomerStatus.UNAVAILABLE)
    assert await world.create_payment(request, world.caller) == first
    assert world.charges == 1


async def test_the_same_request_id_with_another_content_is_refused(world: SmallWorld) -> None:
    request = a_request()
    await world.create_payment(request, world.caller)
    with pytest.raises(RequestIdReused):
        await world.create_payment(replace(request, amount=Money(999, "EUR")), world.caller)
    assert world.charges == 1


async def test_a_request_id_that_came_with_something_else_makes_no_payment(
    world: SmallWorld,
) -> None:
    held = await world.pay(capture_method=CaptureMethod.MANUAL)
    request = a_request(reference=None)
    await world.change.capture(held.name, request.request_id, None)
    with pytest.raises(RequestIdReused):
        await world.create_payment(request, world.caller)
    assert world.charges == 1


async def test_an_order_is_not_paid_twice(world: SmallWorld) -> None:
    first = await world.pay()
    with pytest.raises(ReferenceTaken) as error:
        await world.pay()
    assert error.value.holder == str(first.name)
    assert world.charges == 1


async def test_an_order_whose_card_was_declined_may_be_paid_with_another(world: SmallWorld) -> None:
    declined = await world.pay(payment_method=PaymentMethod("pm_card_visa_chargeDeclined"))
    assert declined.state is State.FAILED
    assert declined.failure is not None
    assert declined.failure.code == "card_declined"
    assert told(world) == [EventType.CREATED, EventType.DECLINED, EventType.FAILED]
    assert (await world.pay()).state is State.SUCCEEDED


async def test_a_hold_is_taken_and_money_left_where_it_is(world: SmallWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    assert (payment.state, payment.amount_captured) == (State.AUTHORIZED, 0)


async def test_3d_secure_gives_an_address_to_act_at(world: SmallWorld) -> None:
    payment = await world.pay(
        payment_method=PaymentMethod("pm_card_threeDSecure2Required"),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert payment.state is State.REQUIRES_ACTION
    assert payment.redirect_url


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (CustomerStatus.NOT_FOUND, CustomerNotFound),
        (CustomerStatus.DELETED, CustomerDeleted),
        (CustomerStatus.BLOCKED, CustomerBlocked),
        (CustomerStatus.UNAVAILABLE, CustomerServiceUnavailable),
    ],
)
async def test_who_may_not_pay_leaves_nothing_behind(
    world: SmallWorld, verdict: CustomerStatus, error: type[PaymentError]
) -> None:
    world.customers.says = Customer(verdict)
    with pytest.raises(error):
        await world.pay()
    assert not world.store.payments
    assert world.processor.made == []


async def test_a_token_that_the_processor_does_not_know_is_refused_by_name(
    world: SmallWorld,
) -> None:
    with pytest.raises(RefusedByProcessor) as error:
        await world.pay(payment_method=PaymentMethod("pm_nobody_knows"))
    assert (error.value.part, error.value.operation) == (RequestPart.PAYMENT_METHOD, "create")
    assert not world.store.payments


@pytest.mark.parametrize("trouble", [LOST, SILENCE, ServerError()])
async def test_while_the_processor_is_away_nothing_is_accepted(
    world: SmallWorld, trouble: object
) -> None:
    world.processor.troubles["create"] = [trouble]
    with pytest.raises(ProcessorUnavailable):
        await world.pay()
    assert not world.store.payments
    assert world.charges == 0


async def test_a_rule_that_is_broken_wakes_a_person(world: SmallWorld) -> None:
    world.processor.troubles["create"] = [IdempotencyKeyConflict()]
    with pytest.raises(InvariantViolation):
        await world.pay()
    assert world.alerts == [Alert.INVARIANT_VIOLATED]


async def test_an_error_speaks_for_its_attempt_only(world: SmallWorld) -> None:
    request = a_request()

    async def another_attempt() -> OutcomeUnknown:
        await world.create_payment(request, Caller())
        return SILENCE

    world.processor.troubles["create"] = [another_attempt]
    payment = await world.create_payment(request, world.caller)
    assert payment.state is State.SUCCEEDED
    assert world.charges == 1


async def test_a_caller_that_left_before_the_row_leaves_no_payment(world: SmallWorld) -> None:
    world.caller.gone = True
    with pytest.raises(TryAgain):
        await world.pay()
    assert not world.store.payments
    assert world.processor.made == ["create", "cancel"]


async def test_whoever_waits_is_told_when_the_payment_is_recorded(world: SmallWorld) -> None:
    payment = await world.pay()
    assert world.caller.told is not None
    assert (world.caller.told.id, world.caller.told.state) == (payment.id, State.CONFIRMING)


async def test_a_confirm_without_an_answer_is_processing_and_recovery_finds_the_charge(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment = await world.pay()
    assert payment.state is State.CONFIRMING
    world.later(seconds=26)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED
    assert world.charges == 1


async def test_an_insert_without_an_answer_is_settled_by_sending_it_again(
    world: SmallWorld,
) -> None:
    world.payments.troubles["insert"] = [BREAKS]
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.payments.inserts == 2


async def test_an_insert_without_an_answer_may_have_made_ones_own_row(world: SmallWorld) -> None:
    world.payments.troubles["insert"] = [BREAKS_AFTER]
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.processor.made == ["create", "retrieve", "confirm"]
    assert world.charges == 1


async def test_a_database_that_never_answers_leaves_the_outcome_unknown(world: SmallWorld) -> None:
    world.payments.troubles["insert"] = [BREAKS, BREAKS, BREAKS]
    with pytest.raises(TryAgain):
        await world.pay()
    assert "cancel" not in world.processor.made, "the row may yet be committed, and bound to it"


async def test_after_silence_a_taken_reference_proves_nothing(world: SmallWorld) -> None:
    async def another_order() -> None:
        await world.create_payment(a_request(), Caller())

    world.payments.troubles["insert"] = [BREAKS, another_order]
    with pytest.raises(TryAgain):
        await world.pay()
    assert "cancel" not in world.processor.made


async def test_the_loser_of_a_race_for_a_reference_tidies_up_its_own_intent(
    world: SmallWorld,
) -> None:
    async def another_order() -> None:
        await world.create_payment(a_request(), Caller())

    world.payments.troubles["insert"] = [another_order]
    with pytest.raises(ReferenceTaken):
        await world.pay()
    assert world.processor.made[-1] == "cancel"
    assert world.charges == 1


async def test_the_loser_of_a_race_for_a_request_gets_the_winners_payment(
    world: SmallWorld,
) -> None:
    request = a_request()

    async def the_twin() -> None:
        await world.create_payment(request, Caller())

    world.payments.troubles["insert"] = [the_twin]
    payment = await world.create_payment(request, world.caller)
    assert payment.state is State.SUCCEEDED
    assert world.charges == 1


async def test_a_winner_that_cannot_yet_be_seen_is_asked_for_again(world: SmallWorld) -> None:
    world.payments.troubles["insert"] = ["nothing"]
    assert (await world.pay()).state is State.SUCCEEDED
    world.payments.troubles["insert"] = ["nothing"] * 3
    with pytest.raises(InvariantViolation):
        await world.pay(reference=Reference("order-2"))
    assert world.alerts == [Alert.INVARIANT_VIOLATED]


async def test_an_attempt_that_took_too_long_makes_no_payment(world: SmallWorld) -> None:
    async def a_long_sleep() -> None:
        world.later(seconds=61)

    world.payments.troubles["insert"] = [a_long_sleep]
    with pytest.raises(TryAgain):
        await world.pay()
    assert not world.store.payments
    assert world.charges == 0


async def test_a_row_that_took_long_to_commit_is_asked_about_before_it_is_confirmed(
    world: SmallWorld,
) -> None:
    async def a_slow_commit() -> None:
        world.seconds += 11

    world.payments.troubles["insert"] = [a_slow_commit]
    assert (await world.pay()).state is State.SUCCEEDED
    assert world.processor.made == ["create", "retrieve", "confirm"]


async def test_a_payment_carries_whose_it_is(world: SmallWorld) -> None:
    payment = await world.pay()
    intent = await world.processor.inner.retrieve(payment.intent_id)
    assert (intent.payment_id, intent.installation) == (payment.id, INSTALLATION)  # type: ignore[union-attr]


async def test_a_customer_that_may_pay_no_more_has_paid_by_the_same_request(
    world: SmallWorld,
) -> None:
    request = a_request()
    twins: list[Payment] = []

    class BlockedMeanwhile:
        async def find(self, _name: CustomerName) -> Customer:
            twin = replace(world.create_payment, customers=OneCustomer())
            twins.append(await twin(request, world.caller))
            return Customer(CustomerStatus.BLOCKED, '"8"')

    create = replace(world.create_payment, customers=BlockedMeanwhile())
    assert [await create(request, world.caller)] == twins
    assert world.charges == 1
