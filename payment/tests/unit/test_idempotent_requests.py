"""IdempotentRequests: an action is executed at most once for each request_id."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import pytest
from support.examples import NOW, a_payment, an_intent

from chassis.values import RequestId
from payment.domain.errors import RequestIdReused, TryAgain, WrongState
from payment.domain.events import EventType, NewEvent
from payment.domain.evidence import IntentStatus
from payment.domain.machine import apply
from payment.domain.payment import Payment, State
from payment.repository.memory import MemoryPayments, Store
from payment.service_layer.idempotent_requests import MAX_TRIES, IdempotentRequests
from payment.service_layer.ports import CommitUnknown, RequestRecord

REQUEST_ID = RequestId("3e5b1f6a-8c2d-4e7f-9a0b-1c2d3e4f5a6b")
CONTENT, OTHER_CONTENT = b"the content", b"another content"
CAPTURE_REQUESTED = NewEvent(EventType.CAPTURE_REQUESTED)
NEVER = datetime(9999, 1, 1, tzinfo=NOW.tzinfo)

Action = Callable[[], Awaitable[Payment | None]]


class CountedAction:
    """An action that captures the payment.

    Attributes:
        runs: how often it was run.
        faults: what is done instead in the next runs.
    """

    def __init__(self, payments: MemoryPayments, payment_id: UUID) -> None:
        self.payments = payments
        self.payment_id = payment_id
        self.runs = 0
        self.faults: list[Action] = []

    async def __call__(self) -> Payment | None:
        self.runs += 1
        return await (self.faults.pop(0) if self.faults else self.capture)()

    async def capture(self) -> Payment | None:
        """Read, check, and write the change with the request's record."""
        payment = (await self.payments.get(self.payment_id)).resource
        record = RequestRecord(REQUEST_ID, CONTENT, payment.id)
        capturing = payment.capture(None)
        return await self.payments.save(payment, capturing, CAPTURE_REQUESTED, record)


@pytest.fixture
async def payment() -> Payment:
    """An authorized payment."""
    return apply(a_payment(), an_intent(IntentStatus.REQUIRES_CAPTURE), NOW)


@pytest.fixture
async def payments(payment: Payment) -> MemoryPayments:
    payments = MemoryPayments(Store(lambda: NOW))
    unconfirmed = await payments.insert(a_payment(), NEVER)
    assert unconfirmed is not None
    await payments.save(unconfirmed, payment, NewEvent(EventType.AUTHORIZED))
    return payments


@pytest.fixture
def action(payments: MemoryPayments, payment: Payment) -> CountedAction:
    return CountedAction(payments, payment.id)


@pytest.fixture
def requests(payments: MemoryPayments) -> IdempotentRequests:
    return IdempotentRequests(payments)


async def test_a_new_request_runs_its_action_and_returns_what_it_wrote(
    requests: IdempotentRequests, action: CountedAction
) -> None:
    written = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert isinstance(written, Payment)
    assert written.state is State.CAPTURING
    assert action.runs == 1


async def test_a_repeated_request_returns_the_record_and_runs_nothing(
    requests: IdempotentRequests, action: CountedAction, payment: Payment
) -> None:
    await requests.run_once(REQUEST_ID, CONTENT, action)
    again = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert again == RequestRecord(REQUEST_ID, CONTENT, payment.id)
    assert action.runs == 1


async def test_a_repeated_request_id_with_other_content_is_refused_and_runs_nothing(
    requests: IdempotentRequests, action: CountedAction
) -> None:
    await requests.run_once(REQUEST_ID, CONTENT, action)
    with pytest.raises(RequestIdReused) as error:
        await requests.run_once(REQUEST_ID, OTHER_CONTENT, action)
    assert error.value.request_id == str(REQUEST_ID)
    assert action.runs == 1


async def test_a_request_id_of_a_payments_creation_is_refused(
    requests: IdempotentRequests, action: CountedAction, payment: Payment
) -> None:
    with pytest.raises(RequestIdReused):
        await requests.run_once(payment.request.request_id, CONTENT, action)
    assert action.runs == 0


async def test_a_commit_without_an_answer_that_took_effect_is_not_repeated(
    requests: IdempotentRequests, action: CountedAction, payment: Payment
) -> None:
    async def commit_without_an_answer() -> Payment | None:
        await action.capture()
        raise CommitUnknown

    action.faults = [commit_without_an_answer]
    written = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert written == RequestRecord(REQUEST_ID, CONTENT, payment.id)
    assert action.runs == 1


async def test_a_commit_without_an_answer_that_had_no_effect_is_repeated(
    requests: IdempotentRequests, action: CountedAction
) -> None:
    async def fail_before_the_commit() -> Payment | None:
        raise CommitUnknown

    action.faults = [fail_before_the_commit]
    written = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert isinstance(written, Payment)
    assert action.runs == 2


async def test_a_refusal_by_the_requests_own_work_returns_the_record(
    requests: IdempotentRequests, action: CountedAction, payment: Payment
) -> None:
    async def meet_the_work_of_a_concurrent_copy() -> Payment | None:
        await action.capture()
        return await action.capture()  # raises WrongState: the payment is being captured

    action.faults = [meet_the_work_of_a_concurrent_copy]
    written = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert written == RequestRecord(REQUEST_ID, CONTENT, payment.id)
    assert action.runs == 1


async def test_a_refusal_by_anything_else_is_raised(
    requests: IdempotentRequests, action: CountedAction, payments: MemoryPayments, payment: Payment
) -> None:
    before = (await payments.get(payment.id)).resource
    await payments.save(before, before.cancel(), NewEvent(EventType.CANCEL_REQUESTED))
    with pytest.raises(WrongState):
        await requests.run_once(REQUEST_ID, CONTENT, action)
    assert action.runs == 1


async def test_an_action_that_was_overtaken_is_run_again(
    requests: IdempotentRequests, action: CountedAction
) -> None:
    async def be_overtaken() -> Payment | None:
        return None

    action.faults = [be_overtaken] * (MAX_TRIES - 1)
    assert isinstance(await requests.run_once(REQUEST_ID, CONTENT, action), Payment)
    assert action.runs == MAX_TRIES


async def test_an_action_that_is_always_overtaken_is_given_up(
    requests: IdempotentRequests, action: CountedAction
) -> None:
    async def be_overtaken() -> Payment | None:
        return None

    action.faults = [be_overtaken] * 100
    with pytest.raises(TryAgain):
        await requests.run_once(REQUEST_ID, CONTENT, action)
    assert action.runs == MAX_TRIES


async def test_an_action_that_was_overtaken_by_a_copy_of_its_request_returns_the_record(
    requests: IdempotentRequests, action: CountedAction, payment: Payment
) -> None:
    async def be_overtaken_by_a_copy() -> Payment | None:
        await action.capture()
        return None

    action.faults = [be_overtaken_by_a_copy]
    written = await requests.run_once(REQUEST_ID, CONTENT, action)
    assert written == RequestRecord(REQUEST_ID, CONTENT, payment.id)
    assert action.runs == 1


async def test_an_action_that_was_overtaken_by_the_request_id_with_other_content_is_refused(
    requests: IdempotentRequests, action: CountedAction, payments: MemoryPayments, payment: Payment
) -> None:
    async def be_overtaken() -> Payment | None:
        before = (await payments.get(payment.id)).resource
        record = RequestRecord(REQUEST_ID, OTHER_CONTENT, payment.id)
        canceling = before.cancel()
        await payments.save(before, canceling, NewEvent(EventType.CANCEL_REQUESTED), record)
        return None

    action.faults = [be_overtaken]
    with pytest.raises(RequestIdReused):
        await requests.run_once(REQUEST_ID, CONTENT, action)
