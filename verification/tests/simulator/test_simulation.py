"""The simulator: the same seed is the same run, what is right passes, what is wrong is found and told."""

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
from payment.service_layer import step
from payment.service_layer.recovery import Recovery
from sandbox.mutable_world import MutableWorld
from sandbox.world import Rules
from verification.simulator import find_violation
from verification.simulator.loop import VirtualLoop
from verification.simulator.network import Network
from verification.simulator.replicas import Process
from verification.simulator.simulation import Simulation
from verification.simulator.weather import Blow, Weather
from verification.world.calls import Call, Fate
from verification.world.world import World

HASHES = """
from verification.simulator.simulation import Simulation
from verification.simulator.trace import Trace
for seed in range(40):
    trace = Trace()
    Simulation(seed, trace).run()
    print(len(trace.lines), trace.hash())
"""


def hashes(hash_seed: str) -> str:
    """The traces of some seeds, in a Python whose sets and dicts have another order."""
    done = subprocess.run(
        [sys.executable, "-c", HASHES],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_same_seed_is_the_same_run_to_the_last_call() -> None:
    first = hashes("0")
    assert first == hashes("4711")
    assert len(set(first.splitlines())) == 40


def test_watching_a_run_changes_nothing_of_it() -> None:
    from verification.simulator.trace import Trace

    for seed in range(20):
        assert Simulation(seed).run() == Simulation(seed, Trace()).run()


def test_no_rule_is_broken() -> None:
    violation = find_violation(range(100))
    assert violation is None, str(violation)


def test_everything_that_can_go_wrong_does() -> None:
    kinds = {fate.name.lower() for fate in Fate if fate is not Fate.DONE}
    missing = kinds | {"crash", "pause", "clock jump", "away"}
    for seed in range(1000):
        missing -= {*Simulation(seed).run().met}
        if not missing:
            return
    pytest.fail(f"never met: {missing}")


def test_a_decline_that_is_believed_too_early_is_found_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = machine.apply

    def apply(payment: Payment, *evidence: Any, **how: Any) -> Payment:
        after = right(payment, *evidence, **how)
        declined = after.cancel_reason is CancelReason.DECLINE
        return replace(after, state=State.FAILED) if declined else after

    monkeypatch.setattr(machine, "apply", apply)
    monkeypatch.setattr(step, "apply", apply)
    violation = find_violation(range(300))
    assert violation is not None
    assert any("FAILED" in sentence for sentence in violation.broken)
    assert any("processor.post" in line and "confirm" in line for line in violation.trace)
    assert any("BROKEN" in line for line in violation.trace)


def test_a_change_that_tests_no_version_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from payment.repository.memory import MemoryPayments

    right = MemoryPayments.save

    async def save(self: Any, before: Payment, *rest: Any) -> Payment | None:
        return await right(self, self._store.payments[before.id], *rest)

    monkeypatch.setattr(MemoryPayments, "save", save)
    assert find_violation(range(1000)) is not None


def test_a_step_that_never_looks_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    a_year = timedelta(days=365)
    monkeypatch.setattr(step, "until_next_look", lambda *_args, **_how: a_year)
    violation = find_violation(range(300))
    assert violation is not None
    assert any("rests" in sentence for sentence in violation.broken)


def test_a_recovery_that_ends_by_an_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Recovery.claim

    async def claim(self: Recovery, places: int) -> Any:
        await self.steps.payments.claim_due(0)  # whose error nobody takes
        return await right(self, places)

    monkeypatch.setattr(Recovery, "claim", claim)
    violation = find_violation(range(300))
    assert violation is not None
    assert any("DatabaseAway" in sentence for sentence in violation.broken)


class Fair(Weather):
    """Nothing goes wrong by itself."""

    def __init__(self) -> None:
        super().__init__(Random(0))
        self.clear()


def a_process(loop: VirtualLoop) -> tuple[Process, World]:
    books, random, weather = MutableWorld("Sandbox", Rules()), Random(0), Fair()
    world = World(books)
    network = Network(loop, world, books, weather, random, lambda: None, None)
    process = Process(
        "replica 1",
        loop,
        network,
        weather,
        random,
        alarm=lambda *_: None,
        on_unexpected_error=lambda _: None,
        failed=lambda error: pytest.fail(repr(error)),
        new_id=lambda: pytest.fail("nothing is made here"),
        died=lambda *_: None,
    )
    return process, world


def test_what_a_dead_replica_still_tries_reaches_nothing() -> None:
    loop = VirtualLoop(Random(0))  # type: ignore[abstract]
    process, world = a_process(loop)
    reached: list[str] = []

    async def work() -> None:
        try:
            await process.perform(Call("payments", "claim_due", (1,)))  # waits: nothing is due
            reached.append("an answer")
        finally:
            await process.perform(Call("events", "stream", (None, 1, "")))
            reached.append("a call out of a finally")

    async def crash() -> None:
        working = loop.create_task(work())
        await asyncio.sleep(5)
        process.die(Blow.DIES_BEFORE)
        await asyncio.wait({working})
        assert working.cancelled()
        await asyncio.sleep(5)
        assert process.recovering.done()

    loop.run_until_complete(crash())
    assert reached == []
    assert not world.store.events
