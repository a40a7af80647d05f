"""CreatePayment, from the request to the first answer, and every fault on that way."""

from dataclasses import replace

import pytest
from support.examples import INSTALLATION
from support.faults import (
    CONFLICT_NOT_VISIBLE,
    FAILS_AFTER_COMMIT,
    FAILS_BEFORE_COMMIT,
    LOST_REPLY,
    UNREACHABLE,
)
from support.use_case_world import (
    AUTHENTICATED_CARD,
    DECLINED_CARD,
    StubCaller,
    StubCustomers,
    UseCaseWorld,
    new_request,
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
from payment.domain.evidence import IdempotencyKeyConflict, Intent, OutcomeUnknown, ServerError
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.values import CustomerName, Money, PaymentMethod, RequestPart, ReturnUrl
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


# ---------------------------------------------------------------- without faults


async def test_a_good_card_is_charged_once_in_two_commits(world: UseCaseWorld) -> None:
    payment = await world.pay()
    assert (payment.state, payment.amount_captured) == (State.SUCCEEDED, 1000)
    assert world.event_types() == [EventType.CREATED, EventType.SUCCEEDED]
    assert world.processor.calls == ["create", "confirm"]
    assert world.charge_count == 1


async def test_a_payment_records_the_version_of_the_customer_it_rests_on(
    world: UseCaseWorld,
) -> None:
    world.customers.customer = Customer(CustomerStatus.ACTIVE, '"41"')
    assert (await world.pay()).customer_etag == '"41"'


async def test_the_intent_names_its_payment_and_the_installation(world: UseCaseWorld) -> None:
    payment = await world.pay()
    intent = await world.simulated.retrieve(payment.intent_id)
    assert isinstance(intent, Intent)
    assert (intent.payment_id, intent.installation) == (payment.id, INSTALLATION)


async def test_with_manual_capture_the_card_is_only_authorized(world: UseCaseWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    assert (payment.state, payment.amount_captured) == (State.AUTHORIZED, 0)


async def test_a_card_with_3d_secure_gives_the_address_where_the_customer_acts(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(
        payment_method=PaymentMethod(AUTHENTICATED_CARD),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert payment.state is State.REQUIRES_ACTION
    assert payment.redirect_url


async def test_a_declined_payment_fails_after_its_intent_is_canceled(world: UseCaseWorld) -> None:
    payment = await world.pay(payment_method=PaymentMethod(DECLINED_CARD))
    assert payment.state is State.FAILED
    assert payment.failure is not None
    assert payment.failure.code == "card_declined"
    assert world.event_types() == [EventType.CREATED, EventType.DECLINED, EventType.FAILED]
    assert world.processor.calls == ["create", "confirm", "cancel"]


async def test_the_caller_is_notified_of_the_payment_as_soon_as_it_is_recorded(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay()
    assert world.caller.created is not None
    assert (world.caller.created.id, world.caller.created.state) == (payment.id, State.CONFIRMING)


# ---------------------------------------------------------------- repeated requests


async def test_a_repeated_request_gets_the_same_payment_whatever_else_would_refuse_it(
    world: UseCaseWorld,
) -> None:
    request = new_request()
    first = await world.create_payment(request, world.caller)
    world.customers.customer = Customer(CustomerStatus.UNAVAILABLE)
    assert await world.create_payment(request, world.caller) == first
    assert world.charge_count == 1


async def test_a_repeated_request_id_with_other_content_is_refused(world: UseCaseWorld) -> None:
    request = new_request()
    await world.create_payment(request, world.caller)
    with pytest.raises(RequestIdReused):
        await world.create_payment(replace(request, amount=Money(999, "EUR")), world.caller)
    assert world.charge_count == 1


async def test_a_request_id_of_a_capture_creates_no_payment(world: UseCaseWorld) -> None:
    authorized = await world.pay(capture_method=CaptureMethod.MANUAL)
    request = new_request(reference=None)
    await world.change_payment.capture(authorized.name, request.request_id, None)
    with pytest.raises(RequestIdReused):
        await world.create_payment(request, world.caller)
    assert world.charge_count == 1


async def test_a_reference_is_paid_once(world: UseCaseWorld) -> None:
    first = await world.pay()
    with pytest.raises(ReferenceTaken) as error:
        await world.pay()
    assert error.value.holder == str(first.name)
    assert world.charge_count == 1


async def test_a_reference_whose_card_was_declined_may_be_paid_with_another_card(
    world: UseCaseWorld,
) -> None:
    await world.pay(payment_method=PaymentMethod(DECLINED_CARD))
    assert (await world.pay()).state is State.SUCCEEDED


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (CustomerStatus.NOT_FOUND, CustomerNotFound),
        (CustomerStatus.DELETED, CustomerDeleted),
        (CustomerStatus.BLOCKED, CustomerBlocked),
        (CustomerStatus.UNAVAILABLE, CustomerServiceUnavailable),
    ],
)
async def test_a_customer_who_may_not_pay_is_refused_before_the_processor_is_called(
    world: UseCaseWorld, status: CustomerStatus, error: type[PaymentError]
) -> None:
    world.customers.customer = Customer(status)
    with pytest.raises(error):
        await world.pay()
    assert not world.store.payments
    assert world.processor.calls == []


async def test_a_token_that_the_processor_does_not_know_is_refused_by_the_part_it_is(
    world: UseCaseWorld,
) -> None:
    with pytest.raises(RefusedByProcessor) as error:
        await world.pay(payment_method=PaymentMethod("pm_nobody_knows"))
    assert (error.value.part, error.value.operation) == (RequestPart.PAYMENT_METHOD, "create")
    assert not world.store.payments


async def test_a_reply_that_our_own_rules_forbid_raises_an_alert(world: UseCaseWorld) -> None:
    world.processor.faults.plan("create", IdempotencyKeyConflict())
    with pytest.raises(InvariantViolation):
        await world.pay()
    assert world.alerts == [Alert.INVARIANT_VIOLATED]


@pytest.mark.parametrize("fault", [LOST_REPLY, UNREACHABLE, ServerError()], ids=str)
async def test_no_payment_is_recorded_while_the_processor_is_unavailable(
    world: UseCaseWorld, fault: object
) -> None:
    world.processor.faults.plan("create", fault)
    with pytest.raises(ProcessorUnavailable):
        await world.pay()
    assert not world.store.payments
    assert world.charge_count == 0


async def test_an_attempt_that_fails_returns_the_payment_that_a_concurrent_attempt_created(
    world: UseCaseWorld,
) -> None:
    request = new_request()

    async def create_concurrently() -> OutcomeUnknown:
        await world.create_payment(request, StubCaller())
        return UNREACHABLE

    world.processor.faults.plan("create", create_concurrently)
    payment = await world.create_payment(request, world.caller)
    assert payment.state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_a_customer_blocked_meanwhile_gets_the_payment_of_the_concurrent_attempt(
    world: UseCaseWorld,
) -> None:
    request = new_request()
    created: list[Payment] = []

    class BlockedMeanwhile:
        """The Customer service: another attempt succeeds, then the customer is blocked."""

        async def find(self, _name: CustomerName) -> Customer:
            other = replace(world.create_payment, customers=StubCustomers())
            created.append(await other(request, world.caller))
            return Customer(CustomerStatus.BLOCKED, '"8"')

    create_payment = replace(world.create_payment, customers=BlockedMeanwhile())
    assert [await create_payment(request, world.caller)] == created
    assert world.charge_count == 1


# ---------------------------------------------------------------- the insert


async def test_a_caller_that_leaves_before_the_insert_leaves_no_payment_and_no_intent(
    world: UseCaseWorld,
) -> None:
    world.caller.has_left = True
    with pytest.raises(TryAgain):
        await world.pay()
    assert not world.store.payments
    assert world.processor.calls == ["create", "cancel"]


async def test_an_insert_without_an_answer_is_sent_again(world: UseCaseWorld) -> None:
    world.payments.faults.plan("insert", FAILS_BEFORE_COMMIT)
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.payments.insert_count == 2


async def test_an_insert_that_was_committed_without_an_answer_is_found_and_asked_about_first(
    world: UseCaseWorld,
) -> None:
    world.payments.faults.plan("insert", FAILS_AFTER_COMMIT)
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.processor.calls == ["create", "retrieve", "confirm"]
    assert world.charge_count == 1


async def test_an_insert_that_never_gets_an_answer_leaves_the_intent_alone(
    world: UseCaseWorld,
) -> None:
    world.payments.faults.plan("insert", *[FAILS_BEFORE_COMMIT] * 3)
    with pytest.raises(TryAgain):
        await world.pay()
    assert "cancel" not in world.processor.calls, (
        "the row may still be committed, and be bound to it"
    )


async def test_after_an_insert_without_an_answer_a_taken_reference_proves_nothing(
    world: UseCaseWorld,
) -> None:
    async def pay_the_same_reference() -> None:
        await world.create_payment(new_request(), StubCaller())

    world.payments.faults.plan("insert", FAILS_BEFORE_COMMIT, pay_the_same_reference)
    with pytest.raises(TryAgain):
        await world.pay()
    assert "cancel" not in world.processor.calls


async def test_the_loser_of_a_race_for_a_reference_cancels_its_own_intent(
    world: UseCaseWorld,
) -> None:
    async def pay_the_same_reference() -> None:
        await world.create_payment(new_request(), StubCaller())

    world.payments.faults.plan("insert", pay_the_same_reference)
    with pytest.raises(ReferenceTaken):
        await world.pay()
    assert world.processor.calls[-1] == "cancel"
    assert world.charge_count == 1


async def test_the_loser_of_a_race_for_a_request_id_gets_the_winners_payment(
    world: UseCaseWorld,
) -> None:
    request = new_request()

    async def create_concurrently() -> None:
        await world.create_payment(request, StubCaller())

    world.payments.faults.plan("insert", create_concurrently)
    payment = await world.create_payment(request, world.caller)
    assert payment.state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_an_insert_that_conflicts_with_an_invisible_row_is_sent_again(
    world: UseCaseWorld,
) -> None:
    world.payments.faults.plan("insert", CONFLICT_NOT_VISIBLE)
    assert (await world.pay()).state is State.SUCCEEDED


async def test_an_insert_that_always_conflicts_with_nothing_raises_an_alert(
    world: UseCaseWorld,
) -> None:
    world.payments.faults.plan("insert", *[CONFLICT_NOT_VISIBLE] * 3)
    with pytest.raises(InvariantViolation):
        await world.pay(reference=Reference("order-2"))
    assert world.alerts == [Alert.INVARIANT_VIOLATED]


async def test_an_attempt_is_not_recorded_a_minute_after_its_look_up(world: UseCaseWorld) -> None:
    async def take_a_minute() -> None:
        world.advance(seconds=61)

    world.payments.faults.plan("insert", take_a_minute)
    with pytest.raises(TryAgain):
        await world.pay()
    assert not world.store.payments
    assert world.charge_count == 0


# ---------------------------------------------------------------- the confirmation


async def test_a_payment_whose_insert_took_long_is_asked_about_before_it_is_confirmed(
    world: UseCaseWorld,
) -> None:
    async def commit_slowly() -> None:
        world.elapsed_seconds += 11

    world.payments.faults.plan("insert", commit_slowly)
    assert (await world.pay()).state is State.SUCCEEDED
    assert world.processor.calls == ["create", "retrieve", "confirm"]


async def test_a_confirmation_without_a_reply_is_resolved_by_recovery_and_charges_once(
    world: UseCaseWorld,
) -> None:
    world.processor.faults.plan("confirm", LOST_REPLY)
    payment = await world.pay()
    assert payment.state is State.CONFIRMING
    world.advance(seconds=26)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED
    assert world.charge_count == 1
