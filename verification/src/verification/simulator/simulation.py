"""One run of the whole world, from its seed to its last check: faults, then quiescence."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from payment.domain.values import PaymentName
from payment.domain.webhook_notification import WebhookNotification
from payment.service_layer.alerts import Alert
from sandbox.actions import CancelIntent, PassTime, Request
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Event
from sandbox.transition import transition
from sandbox.world import Rules
from verification.simulator.checks import Checks
from verification.simulator.clients import Clients, ResponseHistory
from verification.simulator.event_reader import EventReader
from verification.simulator.fault_profile import DAY, HOUR, FaultProfile
from verification.simulator.loop import VirtualLoop
from verification.simulator.merchant_actions import MerchantActions
from verification.simulator.replicas import ReplicaProcess
from verification.simulator.requests import RequestGenerator
from verification.simulator.simulated_ports import SimulatedPorts
from verification.simulator.three_d_secure_payers import ThreeDSecurePayers
from verification.simulator.trace import NoTrace, Trace
from verification.simulator.webhook_delivery import WebhookDelivery
from verification.world import invariants
from verification.world.faults import ProcessFault
from verification.world.requests import resource_id
from verification.world.use_cases import Replica
from verification.world.world import World

if TYPE_CHECKING:
    from collections import Counter

KEY_LIFE_SECONDS = 24 * 3600
SHORT_KEY_LIVES = (5, 60, 600)
"""In some runs without refunds, in seconds: no payment's safety depends on keys."""
SETTLE_SECONDS, LONG_SETTLE_SECONDS = 5 * HOUR, 30 * HOUR
"""How soon after the last fault everything has settled: the longest wait is an hour, and a step makes
one call. A refund that was answered 500 waits until its key expires, and an authorized payment is
looked at once a day.
"""
REVIEW_INTERVAL_SECONDS = 2 * HOUR
MAX_RELEASES = 5
"""How often manual review releases a payment, where others are faster or no reply comes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run. `faults` counts what was injected, by its kind."""

    seed: int
    violations: tuple[str, ...]
    faults: "Counter[str]"
    payments: int
    calls: int
    days: float


class Simulation:
    """One run. With a trace, every call is written to it."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        self.seed = seed
        self._random = random = Random(seed)
        self._loop = VirtualLoop(random)  # type: ignore[abstract]  # what it lacks fails when called
        self._faults = FaultProfile(random)
        requests = RequestGenerator(random)
        self._purchases = requests.purchases()
        has_refunds = any("refund" in each.follow_up for each in self._purchases)
        long_keys = has_refunds or random.random() < 0.6
        key_life = KEY_LIFE_SECONDS if long_keys else random.choice(SHORT_KEY_LIVES)
        self._processor = MutableWorld("Sandbox", Rules(key_life=key_life))
        self._world = World(self._processor)
        self._store = self._world.store
        self._trace = trace or NoTrace()
        self._trace.clock = self._loop.time
        self._events_read = 0
        self._ids = 0
        self._ports = SimulatedPorts(
            self._loop,
            self._world,
            self._processor,
            self._faults,
            random,
            self._after_call,
            self._trace,
        )
        self._replicas: list[ReplicaProcess] = []
        self._reviews: list[asyncio.Task[None]] = []
        self._is_over = False
        self._merchant = MerchantActions(random, self._ports, self._at_processor, self._trace)
        self._checks = Checks(self._processor, self._store, self._merchant.changed, self._trace)
        self._history = ResponseHistory(self._store, self._checks.violation)
        self._clients = Clients(
            random, requests, self._any_replica, self._history, self._checks.failure, self._trace
        )
        self._webhooks = WebhookDelivery(random, self._ports, self._notify, self._trace)
        self._payers = ThreeDSecurePayers(random, self._ports, self._at_processor, self._trace)

    def run(self) -> Outcome:
        """Run to the end."""
        try:
            self._loop.run_until_complete(self._run())
        except Exception as error:  # noqa: BLE001 (a deadlock, or a failure of the simulator)
            self._checks.violation(f"the run ended with {error!r}")
        for failure in self._loop.failures:
            self._checks.violation(f"an error was never retrieved: {failure!r}")
        return Outcome(
            self.seed,
            violations=self._checks.violations,
            faults=self._faults.counts,
            payments=len(self._store.payments),
            calls=self._checks.calls,
            days=self._loop.time() / DAY,
        )

    # ------------------------------------------------------------------ the phases of a run

    async def _run(self) -> None:
        random = self._random
        for number in range(1, random.choice((1, 2, 3)) + 1):
            self._start(f"replica {number}")
        reader = None
        if random.random() < 0.3:
            reader = EventReader(self._any_replica, self._checks.failure)
        reading = self._loop.create_task(reader.read()) if reader else None
        buying = [self._loop.create_task(self._clients.buy(each)) for each in self._purchases]
        if random.random() < 0.15:
            self._loop.call_later(random.random() * self._faults.duration, self._jump_clock)
        await asyncio.sleep(self._faults.duration)
        self._faults.end()
        self._trace.event("no fault is injected any more")
        await asyncio.gather(*buying, *self._reviews)
        await self._settle(passes_deadlines=random.random() < 0.15)
        if reader and reading:
            await asyncio.sleep(HOUR)
            reading.cancel()
            if reader.events != self._store.events:
                self._checks.violation("a reader of the events missed one, or read one twice")
        self._is_over = True
        for replica in [*self._replicas]:
            replica.crash(ProcessFault.CRASH_BEFORE)
        await asyncio.sleep(2 * HOUR)  # their tasks end, whatever they wait for

    async def _settle(self, *, passes_deadlines: bool) -> None:
        """Wait until everything has settled; in some runs until authorizations and actions expire."""
        if passes_deadlines:
            await asyncio.sleep(9 * DAY)
        await asyncio.sleep(60)
        while True:
            await self._review()
            left = [*self._unsettled(), *self._still_expected()]
            since = self._loop.time() - max(self._ports.last_arrival, self._faults.duration)
            if not left or any(since > self._settle_seconds(each) for each in left):
                break
            await asyncio.sleep(REVIEW_INTERVAL_SECONDS)
        for sentence in left:
            self._checks.violation(sentence)
        self._checks.at_quiescence()
        for sentence in self._history.missing():
            self._checks.violation(sentence)

    def _settle_seconds(self, sentence: str) -> float:
        """How soon after the last fault this is over."""
        is_long = "/refunds/" in sentence or self._checks.is_by_merchant(sentence)
        return LONG_SETTLE_SECONDS if is_long else SETTLE_SECONDS

    def _unsettled(self) -> list[str]:
        self._at_processor(PassTime())
        return list(invariants.quiescence(self._checks.records(), self._world.clock()))

    def _still_expected(self) -> list[str]:
        held = [each for each in self._store.payments.values() if each.held is not None]
        sentences = [f"{payment.name} is held, and cannot be released" for payment in held]
        if self._ports.last_arrival > self._loop.time():
            sentences.append("a delayed effect has not arrived")
        return sentences

    # ------------------------------------------------------------------ manual review

    async def _review(self) -> None:
        """Cancel orphans, as reconciliation does, and release what is held."""
        for intent in self._checks.records().orphans(self._world.unix()):
            self._trace.event(f"the orphan {intent.id} is canceled")
            self._at_processor(CancelIntent(intent.id))
        for payment in [*self._store.payments.values()]:
            await self._release(payment.id)

    async def _release(self, payment_id: UUID) -> None:
        """Release a held payment, on what the processor has then."""
        for _ in range(MAX_RELEASES):
            payment = self._store.payments[payment_id]
            if payment.held is None:
                return
            await self._clients.release(payment)

    # ------------------------------------------------------------------ replicas

    def _start(self, name: str) -> None:
        self._replicas.append(
            ReplicaProcess(
                name,
                self._loop,
                self._ports,
                self._faults,
                self._random,
                alert=self._alert,
                on_unexpected_error=self._checks.unexpected_error,
                on_failure=self._checks.failure,
                on_crash=self._on_crash,
                new_id=self._new_id,
            )
        )

    def _on_crash(self, replica: ReplicaProcess, fault: ProcessFault) -> None:
        self._trace.event(f"{replica.name} {fault.value}")
        self._replicas.remove(replica)
        if not self._is_over:
            self._loop.call_later(self._faults.downtime(), self._start, replica.name)

    def _any_replica(self) -> Replica | None:
        return self._random.choice(self._replicas).use_cases if self._replicas else None

    def _alert(self, alert: Alert, about: str, words: str) -> None:
        self._checks.alert(alert, about, words)
        if alert is Alert.PAYMENT_HELD:
            releasing = self._release(PaymentName.parse(about).id)
            self._reviews.append(self._loop.create_task(releasing))

    def _notify(self, notification: WebhookNotification) -> None:
        """A webhook arrives at any replica."""
        if self._replicas:
            replica = self._random.choice(self._replicas)
            work = self._loop.create_task(replica.record_notification(notification))
            work.add_done_callback(self._notified)

    def _notified(self, work: "asyncio.Task[Any]") -> None:
        error = None if work.cancelled() else work.exception()
        if isinstance(error, Exception):
            self._checks.unexpected_error(error)

    def _new_id(self) -> UUID:
        self._ids += 1
        return resource_id(self._ids)

    # ------------------------------------------------------------------ the processor, and clocks

    def _after_call(self) -> None:
        """Check the world, and let people and webhooks follow the processor's new events."""
        self._checks.after_call()
        new = self._processor.events_after(self._events_read)
        self._events_read += len(new)
        for name in new:
            event = self._processor.find("event", name)
            if isinstance(event, Event):
                self._webhooks.on_event(event)
                self._merchant.on_event(event)
                self._payers.on_event(event)

    def _at_processor(self, action: Any) -> Any:
        """Someone other than a replica acts at the processor."""
        self._world.now = self._loop.time()
        _, response = transition(self._processor, Request(action), self._world.unix())
        self._ports.changed()
        return response.body

    def _jump_clock(self) -> None:
        """The database fails over to a machine with another clock."""
        self._world.database_offset = (self._random.random() - 0.5) * 60
        self._faults.counts["clock jump"] += 1
        self._trace.event(f"the database's clock jumps by {self._world.database_offset:+.1f} s")
