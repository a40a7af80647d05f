"""The simulator: a seed is one run, correct code has no violations, mistakes are found and traced."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from payment.domain import machine
from payment.domain.payment import CancelReason, Payment, State
from payment.repository.memory import MemoryPayments
from payment.service_layer import driver, payment_driver
from payment.service_layer.recovery import Lane, Recovery
from sandbox.mutable_world import MutableWorld
from sandbox.world import Rules
from verification.simulator import Violation, find_violation
from verification.simulator.fault_profile import FaultProfile, kind_of
from verification.simulator.loop import VirtualLoop
from verification.simulator.replicas import ReplicaProcess
from verification.simulator.simulated_ports import SimulatedPorts
from verification.simulator.simulation import Simulation
from verification.simulator.trace import NoTrace, Trace
from verification.world.calls import Call
from verification.world.faults import CallFault, ProcessFault
from verification.world.world import World

HASHES_OF_TRACES = """
from verification.simulator.simulation import Simulation
from verification.simulator.trace import NoTrace, Trace
for seed in range(40):
    trace = Trace()
    Simulation(seed, trace).run()
    print(len(trace.lines), trace.hash())
"""


def hashes_of_traces(hash_seed: str) -> str:
    """The traces of some seeds, in a Python whose sets have this order."""
    done = subprocess.run(
        [sys.executable, "-c", HASHES_OF_TRACES],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def violation_in(seeds: int) -> Violation:
    """The first violation of these seeds: there must be one."""
    violation = find_violation(range(seeds))
    assert violation is not None
    return violation


# ---------------------------------------------------------------- determinism


def test_a_seed_has_one_trace_whatever_the_order_of_sets() -> None:
    first = hashes_of_traces("0")
    assert first == hashes_of_traces("4711")
    assert len(set(first.splitlines())) == 40


def test_a_run_with_a_trace_has_the_same_outcome_as_one_without() -> None:
    for seed in range(20):
        assert Simulation(seed).run() == Simulation(seed, Trace()).run()


# ---------------------------------------------------------------- correct code


def test_no_seed_has_a_violation() -> None:
    violation = find_violation(range(100))
    assert violation is None, str(violation)


def test_every_fault_is_injected() -> None:
    missing = {kind_of(fault) for fault in CallFault if fault is not CallFault.NONE}
    missing |= {"crash", "pause", "clock jump", "outage"}
    for seed in range(1000):
        missing -= {*Simulation(seed).run().faults}
        if not missing:
            return
    pytest.fail(f"never injected: {missing}")


# ---------------------------------------------------------------- mistakes


def test_a_decline_that_is_final_too_early_is_found_with_its_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    correct = machine.apply

    def apply(payment: Payment, *evidence: Any, **options: Any) -> Payment:
        after = correct(payment, *evidence, **options)
        declined = after.cancel_reason is CancelReason.DECLINE
        return replace(after, state=State.FAILED) if declined else after

    monkeypatch.setattr(machine, "apply", apply)
    monkeypatch.setattr(payment_driver, "apply", apply)
    violation = violation_in(300)
    assert any("FAILED" in sentence for sentence in violation.violations)
    assert any("processor.post" in line and "confirm" in line for line in violation.trace)
    assert any("VIOLATION" in line for line in violation.trace)


def test_a_save_that_compares_no_versions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = MemoryPayments.save

    async def save(self: Any, before: Payment, *rest: Any) -> Payment | None:
        return await correct(self, self._store.payments[before.id], *rest)

    monkeypatch.setattr(MemoryPayments, "save", save)
    violation_in(1000)


def test_a_payment_that_is_never_stepped_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    a_year = timedelta(days=365)
    monkeypatch.setattr(driver, "next_attempt_in", lambda *_: a_year)
    assert any("stays" in sentence for sentence in violation_in(300).violations)


def test_a_recovery_that_ends_by_an_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = Recovery.claim

    async def claim(self: Recovery, lane: Lane) -> Any:
        await lane.driver.repository.claim_due(0)  # nothing catches the error of this call
        return await correct(self, lane)

    monkeypatch.setattr(Recovery, "claim", claim)
    assert any("DatabaseUnavailable" in sentence for sentence in violation_in(300).violations)


# ---------------------------------------------------------------- crashes


class NoFaults(FaultProfile):
    """A profile that injects nothing."""

    def __init__(self) -> None:
        super().__init__(Random(0))
        self.end()


def replica_in_empty_world(loop: VirtualLoop) -> tuple[ReplicaProcess, World]:
    processor, random, faults = MutableWorld("Sandbox", Rules()), Random(0), NoFaults()
    world = World(processor)
    ports = SimulatedPorts(loop, world, processor, faults, random, lambda: None, NoTrace())
    replica = ReplicaProcess(
        "replica 1",
        loop,
        ports,
        faults,
        random,
        alert=lambda *_: None,
        on_unexpected_error=lambda _: None,
        on_failure=lambda error: pytest.fail(repr(error)),
        on_crash=lambda *_: None,
        new_id=lambda: pytest.fail("nothing is created here"),
    )
    return replica, world


def test_after_a_crash_no_call_reaches_the_world_and_none_is_answered() -> None:
    loop = VirtualLoop(Random(0))  # type: ignore[abstract]
    replica, world = replica_in_empty_world(loop)
    reached: list[str] = []

    async def work() -> None:
        try:
            await replica.perform(Call("payments", "claim_due", (1,)))  # waits: nothing is due
            reached.append("a reply")
        finally:
            await replica.perform(Call("events", "stream", (None, 1, "")))
            reached.append("a call out of a finally")

    async def crash() -> None:
        working = loop.create_task(work())
        await asyncio.sleep(5)
        replica.crash(ProcessFault.CRASH_BEFORE)
        await asyncio.wait({working})
        assert working.cancelled()
        await asyncio.sleep(5)
        assert replica.recovering.done()

    loop.run_until_complete(crash())
    assert reached == []
    assert not world.store.events
