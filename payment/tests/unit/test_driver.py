"""The driver, around any step: the number of the attempt, the next one's time, and the overdue alert."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from support.examples import NOW, a_payment

from chassis.aip.resources import Snapshot
from payment.domain.payment import Held, Payment, State
from payment.domain.schedule import StepResult
from payment.repository.memory import MemoryPayments, Store
from payment.service_layer.alerts import Alert
from payment.service_layer.driver import Driver
from payment.service_layer.ports import Due

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
Rescheduled = tuple[Payment, timedelta | None, int]


class RecordedPayments(MemoryPayments):
    """Payments in memory. `rescheduled`: the arguments of each call of reschedule."""

    def __init__(self) -> None:
        super().__init__(Store(lambda: NOW))
        self.rescheduled: list[Rescheduled] = []

    async def reschedule(self, read: Payment, wait: timedelta | None, attempt: int) -> None:
        self.rescheduled.append((read, wait, attempt))


@dataclass(frozen=True)
class ScriptedDriver(Driver[Payment]):
    """A driver whose steps give the results that a test plans.

    Attributes:
        results: what the next steps give; a step without one changes nothing.
        steps: the snapshots that were stepped.
    """

    OVERDUE: ClassVar[Alert] = Alert.PAYMENT_OVERDUE

    results: list[StepResult[Payment]] = field(default_factory=list)
    steps: list[Snapshot[Payment]] = field(default_factory=list)

    async def step(self, read: Snapshot[Payment]) -> StepResult[Payment]:
        self.steps.append(read)
        return self.results.pop(0) if self.results else StepResult(read.resource, read.now)


class Alerts(list[tuple[Alert, str, str]]):
    """The alerts raised so far."""

    def __call__(self, alert: Alert, about: str, words: str) -> None:
        self.append((alert, about, words))


@pytest.fixture
def payments() -> RecordedPayments:
    return RecordedPayments()


@pytest.fixture
def alerts() -> Alerts:
    return Alerts()


@pytest.fixture
def driver(payments: RecordedPayments, alerts: Alerts) -> ScriptedDriver:
    no_processor: Any = None  # the scripted steps make no call
    return ScriptedDriver(payments, no_processor, alerts, jitter=lambda: 0.0)


def due(payment: Payment, attempt: int, now: timedelta = timedelta(0)) -> Due[Payment]:
    """A claimed payment whose attempt of this number begins `now` after noon."""
    return Due(Snapshot(payment, NOW + now), attempt)


# ---------------------------------------------------------------- the next attempt


async def test_an_attempt_steps_the_snapshot_that_was_claimed(driver: ScriptedDriver) -> None:
    claimed = due(a_payment(), 1)
    await driver.take_up(claimed)
    assert driver.steps == [claimed.snapshot]


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 5), (4, 120), (9, 3600)])
async def test_an_attempt_that_changed_nothing_keeps_its_number_and_the_wait_grows(
    driver: ScriptedDriver, payments: RecordedPayments, attempt: int, seconds: int
) -> None:
    payment = a_payment()
    await driver.take_up(due(payment, attempt))
    assert payments.rescheduled == [(payment, seconds * SECOND, attempt)]


async def test_an_attempt_that_changed_the_payment_is_followed_by_the_shortest_wait(
    driver: ScriptedDriver, payments: RecordedPayments
) -> None:
    changed = a_payment(State.CANCELING, version=2)
    driver.results.append(StepResult(changed, NOW))
    await driver.take_up(due(a_payment(), 9))
    assert payments.rescheduled == [(changed, SECOND, 1)]


async def test_attempts_while_the_processor_is_unreachable_count_up_to_three(
    driver: ScriptedDriver, payments: RecordedPayments
) -> None:
    payment = a_payment()
    for attempt in (2, 9):
        driver.results.append(StepResult(payment, NOW, answered=False, unreachable=True))
        await driver.take_up(due(payment, attempt))
    assert payments.rescheduled == [(payment, 5 * SECOND, 2), (payment, 45 * SECOND, 3)]


@pytest.mark.parametrize(
    "settled",
    [a_payment(State.SUCCEEDED), a_payment(State.FAILED), a_payment(held=Held("why", NOW))],
    ids=["succeeded", "failed", "held"],
)
async def test_a_payment_that_is_settled_is_not_rescheduled(
    driver: ScriptedDriver, payments: RecordedPayments, settled: Payment
) -> None:
    driver.results.append(StepResult(settled, NOW))
    await driver.take_up(due(a_payment(), 1))
    assert await driver.attempt(Snapshot(settled, NOW)) == settled
    assert payments.rescheduled == []


async def test_the_first_attempt_of_a_request_has_the_number_one(
    driver: ScriptedDriver, payments: RecordedPayments
) -> None:
    payment = a_payment()
    assert await driver.attempt(Snapshot(payment, NOW)) == payment
    assert payments.rescheduled == [(payment, SECOND, 1)]


async def test_a_payment_that_is_left_to_recovery_is_not_stepped_and_is_due_in_a_second(
    driver: ScriptedDriver, payments: RecordedPayments
) -> None:
    """Also where an answered attempt would be followed by a day."""
    payment = a_payment(State.AUTHORIZED)
    assert await driver.leave(Snapshot(payment, NOW)) == payment
    assert payments.rescheduled == [(payment, SECOND, 1)]
    assert driver.steps == []


# ---------------------------------------------------------------- the overdue alert


async def test_an_overdue_payment_raises_an_alert_that_says_since_when(
    driver: ScriptedDriver, alerts: Alerts
) -> None:
    payment = a_payment()
    await driver.take_up(due(payment, 1, now=15 * MINUTE))
    assert alerts == []
    await driver.take_up(due(payment, 2, now=16 * MINUTE))
    since = "no outcome since 2026-11-24 12:00:00 UTC"
    assert alerts == [(Alert.PAYMENT_OVERDUE, str(payment.name), since)]


async def test_an_overdue_payment_raises_its_alert_once_an_hour(
    driver: ScriptedDriver, alerts: Alerts
) -> None:
    for minutes in (16, 17, 60, 75):
        await driver.take_up(due(a_payment(), 9, now=minutes * MINUTE))
    assert len(alerts) == 1
    await driver.take_up(due(a_payment(), 9, now=76 * MINUTE))
    assert len(alerts) == 2


async def test_each_overdue_payment_raises_an_alert_of_its_own(
    driver: ScriptedDriver, alerts: Alerts
) -> None:
    one, other = a_payment(), replace(a_payment(), id=uuid4())
    for payment in (one, other, one, other):
        await driver.take_up(due(payment, 9, now=HOUR))
    assert [about for _, about, _ in alerts] == [str(one.name), str(other.name)]


async def test_a_payment_that_the_attempt_brought_to_its_end_raises_no_alert(
    driver: ScriptedDriver, alerts: Alerts
) -> None:
    driver.results.append(StepResult(a_payment(State.SUCCEEDED, version=2), NOW + HOUR))
    await driver.take_up(due(a_payment(), 9, now=HOUR))
    assert alerts == []
