"""Recovery and its lanes: what it claims, how much at once, and that no error ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from support.examples import NOW, a_payment
from support.waiting import until

from chassis.aip.resources import Snapshot
from payment.domain.payment import Payment
from payment.domain.schedule import StepResult
from payment.repository.memory import MemoryPayments, Store
from payment.service_layer import recovery
from payment.service_layer.alerts import Alert
from payment.service_layer.driver import Driver
from payment.service_layer.ports import Due
from payment.service_layer.recovery import Lane, Recovery

HOUR_SECONDS = 3600.0


class DuePayments(MemoryPayments):
    """Payments in memory, so many of which are due.

    Attributes:
        claims: the limit of each claim so far.
        errors: what the next claims raise.
    """

    def __init__(self, due: int = 0, errors: Sequence[Exception] = ()) -> None:
        self.store = Store(lambda: NOW)
        super().__init__(self.store)
        self.claims: list[int] = []
        self.errors = list(errors)
        self.add(due)

    def add(self, number: int) -> None:
        """Add payments that are due now."""
        for _ in range(number):
            payment = replace(a_payment(), id=uuid4())
            self.store.payments[payment.id] = payment
            self.store.due[payment.id] = NOW

    async def claim_due(self, limit: int) -> Sequence[Due[Payment]]:
        self.claims.append(limit)
        if self.errors:
            raise self.errors.pop(0)
        return await super().claim_due(limit)

    @property
    def unclaimed(self) -> int:
        return sum(time <= NOW for time in self.store.due.values())


@dataclass
class Script:
    """What the steps of a driver do, and how many of them there are."""

    on_step: Callable[[], Awaitable[None]] | None = None
    steps: int = 0
    concurrent_steps: int = 0
    max_concurrent_steps: int = 0


@dataclass(frozen=True)
class ScriptedDriver(Driver[Payment]):
    """A driver whose steps do what a test says, and change nothing."""

    OVERDUE: ClassVar[Alert] = Alert.PAYMENT_OVERDUE

    script: Script = field(default_factory=Script)

    async def step(self, read: Snapshot[Payment]) -> StepResult[Payment]:
        script = self.script
        script.steps += 1
        script.concurrent_steps += 1
        script.max_concurrent_steps = max(script.max_concurrent_steps, script.concurrent_steps)
        try:
            if script.on_step:
                await script.on_step()
        finally:
            script.concurrent_steps -= 1
        return StepResult(read.resource, read.now)


class Errors(list[Exception]):
    """The unexpected errors reported so far."""

    def __call__(self, error: Exception) -> None:
        self.append(error)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(recovery, "WAKE_DEBOUNCE_SECONDS", 0.0)


def lane(payments: DuePayments, script: Script, slots: int) -> Lane:
    """A lane of scripted steps. They make no call, and raise no alert."""
    no_processor: Any = None
    no_alert: Any = None
    driver = ScriptedDriver(payments, no_processor, no_alert, lambda: 0.0, script=script)
    return Lane(driver, slots)


@asynccontextmanager
async def running(recovery_: Recovery) -> AsyncIterator[None]:
    task = asyncio.create_task(recovery_.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def hang() -> None:
    await asyncio.Event().wait()


# ---------------------------------------------------------------- slots


async def test_a_lane_claims_as_much_as_it_has_free_slots_and_nothing_without_one() -> None:
    payments, script = DuePayments(due=5), Script(on_step=hang)
    idle = DuePayments()
    lanes = [lane(payments, script, 3), lane(idle, Script(), 1)]
    async with running(Recovery(lanes, Errors())):
        await until(lambda: len(idle.claims) >= 5)
    assert payments.claims == [3]
    assert (script.max_concurrent_steps, payments.unclaimed) == (3, 2)


async def test_a_slot_is_free_again_when_its_step_ends() -> None:
    payments, script = DuePayments(due=20), Script(on_step=lambda: asyncio.sleep(0))
    async with running(Recovery([lane(payments, script, 3)], Errors())):
        await until(lambda: script.steps == 20)
    assert script.max_concurrent_steps <= 3


async def test_a_lane_whose_slots_are_all_taken_takes_none_from_another() -> None:
    stuck, other = Script(on_step=hang), Script()
    lanes = [lane(DuePayments(due=100), stuck, 4), lane(DuePayments(due=100), other, 2)]
    async with running(Recovery(lanes, Errors())):
        await until(lambda: other.steps == 100)
        assert (stuck.steps, stuck.concurrent_steps) == (4, 4)
    assert other.max_concurrent_steps <= 2


async def test_a_slow_step_keeps_its_own_slot_and_no_other() -> None:
    may_end, script = asyncio.Event(), Script()

    async def hang_in_the_first() -> None:
        if script.steps == 1:
            await may_end.wait()

    script.on_step = hang_in_the_first
    async with running(Recovery([lane(DuePayments(due=10), script, 2)], Errors())):
        await until(lambda: script.steps == 10)
        assert script.concurrent_steps == 1
        may_end.set()
        await until(lambda: script.concurrent_steps == 0)


# ---------------------------------------------------------------- errors


async def test_an_error_in_one_step_is_reported_and_ends_no_other() -> None:
    script, errors = Script(), Errors()

    async def fail_in_the_first() -> None:
        if script.steps == 1:
            raise RuntimeError

    script.on_step = fail_in_the_first
    async with running(Recovery([lane(DuePayments(due=10), script, 2)], errors)):
        await until(lambda: script.steps == 10)
    assert [type(error) for error in errors] == [RuntimeError]


async def test_a_claim_that_fails_is_reported_and_made_again() -> None:
    payments, script = DuePayments(due=1, errors=[ConnectionError()] * 2), Script()
    errors = Errors()
    async with running(Recovery([lane(payments, script, 2)], errors)):
        await until(lambda: script.steps == 1)
    assert [type(error) for error in errors] == [ConnectionError] * 2


async def test_a_lane_that_cannot_claim_keeps_no_other_from_it() -> None:
    failing, other = Script(), Script()
    cannot_claim = DuePayments(due=1, errors=[TimeoutError()] * 100_000)
    lanes = [lane(cannot_claim, failing, 2), lane(DuePayments(due=10), other, 2)]
    async with running(Recovery(lanes, Errors())):
        await until(lambda: other.steps == 10)
    assert failing.steps == 0


# ---------------------------------------------------------------- waking and stopping


async def test_recovery_that_is_woken_claims_before_its_pause_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", HOUR_SECONDS)
    payments, script = DuePayments(), Script()
    woken = Recovery([lane(payments, script, 2)], Errors())
    async with running(woken):
        await until(lambda: len(payments.claims) == 1)
        payments.add(1)
        woken.wake()
        await until(lambda: script.steps == 1)
    assert len(payments.claims) == 2


async def test_recovery_that_is_stopped_cancels_its_steps_and_waits_for_their_end() -> None:
    cleaned_up: list[int] = []

    async def hang_and_clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.append(1)

    script = Script(on_step=hang_and_clean_up)
    lanes = [lane(DuePayments(due=1), script, 1), lane(DuePayments(due=1), script, 1)]
    async with running(Recovery(lanes, Errors())):
        await until(lambda: script.concurrent_steps == 2)
    assert len(cleaned_up) == 2
    assert len(asyncio.all_tasks()) == 1, "only this test"
