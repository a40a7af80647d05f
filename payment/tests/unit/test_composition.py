"""How `__main__` composes the service: which parts share slots, connections and calls."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from payment import __main__ as main
from payment.api.background_tasks import BackgroundTasks
from payment.processors.stripe.adapter import MAX_CONNECTIONS
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.recovery import MAX_CONCURRENT_REFUNDS, MAX_CONCURRENT_STEPS
from payment.service_layer.refund_driver import RefundDriver


@dataclass(frozen=True)
class Installation:
    """The row of this name, as the composition reads it."""

    id: UUID
    generation: int
    page_token_key: bytes


@dataclass(frozen=True)
class OpenDatabase:
    """A database as the composition needs it. It connects nowhere."""

    pool: Any
    installation: Installation


CALLERS_POOL, RECOVERYS_POOL = object(), object()
PROCESSOR: Any = object()
CUSTOMERS: Any = object()


def servicer() -> Any:
    database: Any = OpenDatabase(CALLERS_POOL, Installation(UUID(int=1), 1, bytes(32)))
    return main.build_request_handlers(database, CUSTOMERS, PROCESSOR, BackgroundTasks())


def recovery() -> Any:
    pool: Any = RECOVERYS_POOL
    return main.build_recovery(pool, PROCESSOR)


def test_all_use_cases_share_one_bulkhead() -> None:
    built = servicer()
    assert (
        built.create_payment.bulkhead
        is built.change_payment.bulkhead
        is built.create_refund.bulkhead
    )


def test_the_slots_of_callers_and_the_steps_of_recovery_fit_the_processors_connections() -> None:
    assert main.REQUEST_SLOTS > 0
    assert main.REQUEST_SLOTS + MAX_CONCURRENT_STEPS <= MAX_CONNECTIONS


def test_recovery_has_a_lane_of_its_own_for_each_kind_and_together_they_keep_its_bound() -> None:
    payments, refunds = recovery().lanes
    assert isinstance(payments.driver, PaymentDriver)
    assert isinstance(refunds.driver, RefundDriver)
    assert payments.slots == MAX_CONCURRENT_STEPS - MAX_CONCURRENT_REFUNDS > 0
    assert refunds.slots == MAX_CONCURRENT_REFUNDS > 0


def test_recovery_uses_connections_that_callers_do_not() -> None:
    pools = {lane.driver.repository._pool for lane in recovery().lanes}
    assert pools == {RECOVERYS_POOL}
    built = servicer()
    repositories = (
        built.payments,
        built.refunds,
        built.create_payment.payments,
        built.create_payment.driver.repository,
        built.create_refund.driver.repository,
        built.read_events.events,
    )
    assert {repository._pool for repository in repositories} == {CALLERS_POOL}


def test_requests_and_recovery_call_the_same_processor() -> None:
    built = servicer()
    drivers = [built.create_payment.driver, built.change_payment.driver, built.create_refund.driver]
    drivers += [lane.driver for lane in recovery().lanes]
    assert {id(driver.processor) for driver in drivers} == {id(PROCESSOR)}
