"""One run of the whole world, from its seed to its last look: calls, trouble, then peace, then rest."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from payment.domain.values import PaymentName
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.memory import MemoryNotifications
from sandbox.actions import PassTime, Request
from sandbox.mutable_world import MutableWorld
from sandbox.transition import transition
from sandbox.world import Rules
from verification.simulator.ledger import Ledger
from verification.simulator.loop import VirtualLoop
from verification.simulator.merchant import Merchant
from verification.simulator.network import Network
from verification.simulator.orders import Orders
from verification.simulator.payers import Payers
from verification.simulator.readers import Reader
from verification.simulator.replicas import Process
from verification.simulator.shops import UNKNOWN, Shops, Told
from verification.simulator.trace import Trace
from verification.simulator.weather import DAY, HOUR, Blow, Weather
from verification.world import invariants
from verification.world.use_cases import UseCases
from verification.world.world import BEGINNING, World

if TYPE_CHECKING:
    from collections import Counter

    from payment.domain.payment import Payment
    from payment.repository.memory import Store

ALLOWED_ALARMS = frozenset({"payment_overdue", "refund_overdue"})
"""What may be raised while things go wrong. Every other alarm tells of what must not be."""
ALLOWED_IF_MEDDLED = frozenset({"payment_held", "payment_incident"})
OTHERS_DOING = ("were asked", "and nobody canceled it")
"""Of the sentences of the invariants those that a dashboard makes true."""
KEYS_LIVE = 24 * 3600
SHORT_LIVES = (5, 60, 600)
"""Seconds for which keys live in some runs without refunds: no payment's safety rests on keys."""
REST, LONG_REST = 5 * HOUR, 30 * HOUR
"""How soon after trouble everything rests: the longest wait is an hour, and a step makes one call. Of
a refund that was answered 500 the key has to die first, and a hold is looked at once a day.
"""
LOOKS = 2 * HOUR
RELEASES = 5
"""How often a person tries, where others are faster or nobody answers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed. `broken` are the rules that were, each a sentence."""

    seed: int
    broken: tuple[str, ...]
    met: "Counter[str]"
    payments: int
    calls: int
    days: float


class Simulation:
    """One run. With a trace, every call is told in it; without one, nothing is written."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        self.seed = seed
        random = Random(seed)
        self._random = random
        self._loop = VirtualLoop(random)  # type: ignore[abstract]  # what it lacks fails when asked for
        self._weather = Weather(random)
        orders = Orders(random)
        self._orders = orders.some()
        refunds = any(order.wish.startswith("refund") for order in self._orders)
        life = KEYS_LIVE if refunds or random.random() < 0.6 else random.choice(SHORT_LIVES)
        self._books = MutableWorld("Sandbox", Rules(key_life=life))
        self._world = JumpingWorld(self._books)
        self._store = self._world.store
        self._broken: dict[str, None] = {}
        self._trace = trace
        self._ledger = Ledger(self._books, self._store, self._break)
        self._rows: dict[UUID, Payment] = {}
        self._events = 0
        self._calls = 0
        self._ids = 0
        self._network = Network(
            self._loop,
            self._world,
            self._books,
            self._weather,
            random,
            self._look,
            trace.of_call if trace else None,
        )
        self._replicas: list[Process] = []
        self._people: list[asyncio.Task[None]] = []
        self._is_over = False
        tell = trace.of_people if trace else None
        told = Told(self._store, self._break)
        self._told = told
        self._shops = Shops(random, orders, self._gateway, told, self._failed, tell)
        self._merchant = Merchant(random, self._network, self._at_processor, tell)
        self._payers = Payers(
            random,
            self._books,
            self._network,
            self._merchant,
            self._at_processor,
            self._hint,
            tell,
        )
        if trace:
            trace.clock = self._loop.time

    def run(self) -> Outcome:
        """To its end."""
        try:
            self._loop.run_until_complete(self._live())
        except Exception as error:  # noqa: BLE001 (a deadlock, or a failure of the simulator's)
            self._break(f"the run ended with {error!r}")
        for failure in self._loop.failures:
            self._break(f"nobody took {failure!r}")
        return Outcome(
            self.seed,
            tuple(self._broken),
            self._weather.met,
            len(self._store.payments),
            self._calls,
            self._loop.time() / DAY,
        )

    # ------------------------------------------------------------------ the story

    async def _live(self) -> None:
        random = self._random
        for number in range(1, random.choice((1, 2, 3)) + 1):
            self._start(f"replica {number}")
        reader = Reader(self._gateway, self._failed) if random.random() < 0.3 else None
        reading = self._loop.create_task(reader.read()) if reader else None
        shops = [self._loop.create_task(self._shops.buy(order)) for order in self._orders]
        if random.random() < 0.15:
            self._loop.call_later(random.random() * self._weather.ends, self._jump)
        await asyncio.sleep(self._weather.ends)
        self._weather.clear()
        self._say("the weather clears")
        await asyncio.gather(*shops, *self._people)
        await self._rest(patient=random.random() < 0.15)
        if reader and reading:
            await asyncio.sleep(HOUR)
            reading.cancel()
            if reader.events != self._store.events:
                self._break("a reader of the events missed one, or saw one twice")
        self._is_over = True
        for replica in [*self._replicas]:
            replica.die(Blow.DIES_BEFORE)
        await asyncio.sleep(2 * HOUR)  # their tasks end, whatever they slept on

    async def _rest(self, *, patient: bool) -> None:
        """Wait until everything rests; in some runs longer, so that holds and actions run out."""
        if patient:
            await asyncio.sleep(9 * DAY)
        await asyncio.sleep(60)
        while True:
            await self._tidy_up()
            left = [*self._restless(), *self._still_to_come()]
            since = self._loop.time() - max(self._network.quiet_after, self._weather.ends)
            if not left or any(since > self._patience(sentence) for sentence in left):
                break
            await asyncio.sleep(LOOKS)
        for sentence in left:
            self._break(sentence)
        books = self._judged()
        for sentence in (*invariants.always(books), *self._ledger.disagreements()):
            if not self._is_others_doing(sentence):
                self._break(sentence)
        for sentence in self._told.gone():
            self._break(sentence)

    def _patience(self, sentence: str) -> float:
        """How soon after trouble this has to be over."""
        waits_long = "/refunds/" in sentence or self._is_meddled(sentence)
        return LONG_REST if waits_long else REST

    async def _tidy_up(self) -> None:
        """What people do while they wait: release what is held, sweep what is left over."""
        self._merchant.sweep(self._books, self._store, self._world.unix())
        for payment in [*self._store.payments.values()]:
            await self._release(payment.id)

    async def _release(self, payment_id: UUID) -> None:
        """A person looks at a held payment, and lets it go on: on what the processor says then."""
        for _ in range(RELEASES):
            payment = self._store.payments[payment_id]
            if payment.held is None:
                return
            await self._shops.release(payment)

    def _still_to_come(self) -> list[str]:
        late = self._network.quiet_after > self._loop.time()
        held = [one for one in self._store.payments.values() if one.held is not None]
        sentences = [f"{payment.name} is held, and cannot be released" for payment in held]
        return [*sentences, "something late has not arrived"] if late else sentences

    def _restless(self) -> list[str]:
        self._at_processor(PassTime())
        return list(invariants.at_rest(self._judged(), self._world.clock()))

    # ------------------------------------------------------------------ replicas

    def _start(self, name: str) -> None:
        self._replicas.append(
            Process(
                name,
                self._loop,
                self._network,
                self._weather,
                self._random,
                alarm=self._alarm,
                on_unexpected_error=self._surprised,
                failed=self._failed,
                new_id=self._new_id,
                died=self._died,
            )
        )

    def _died(self, process: Process, blow: Blow) -> None:
        self._say(f"{process.name} {blow.value}")
        self._replicas.remove(process)
        if not self._is_over:
            self._loop.call_later(self._weather.downtime(), self._start, process.name)

    def _some_replica(self) -> Process | None:
        return self._random.choice(self._replicas) if self._replicas else None

    def _gateway(self) -> UseCases | None:
        replica = self._some_replica()
        return replica.use_cases if replica else None

    def _hint(self, hint: WebhookNotification) -> None:
        """A webhook arrives at some replica."""
        replica = self._some_replica()
        if replica is not None:
            work = self._loop.create_task(replica.record_notification(hint))
            work.add_done_callback(self._hinted)

    def _hinted(self, work: "asyncio.Task[Any]") -> None:
        error = None if work.cancelled() else work.exception()
        if isinstance(error, Exception):
            self._surprised(error)

    def _new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=0x7000 << 64 | 0x8000 << 48 | self._ids)

    # ------------------------------------------------------------------ judging

    def _look(self) -> None:
        """After each call: what the ledger says of new movements, and rows of new versions."""
        self._calls += 1
        if len(self._books.movements) > self._ledger.seen:
            self._ledger.read_on()
        events = self._store.events
        for event in events[self._events :]:
            self._compare(event.payment_id)
        self._events = len(events)
        self._payers.look()

    def _compare(self, payment_id: UUID) -> None:
        row = self._store.payments[payment_id]
        if before := self._rows.get(payment_id):
            for sentence in invariants.moved((before,), (row,)):
                self._break(sentence)
        self._rows[payment_id] = row
        intent = self._books.intent(row.intent_id)
        if intent is not None and row.state.is_final:
            for sentence in invariants.payment_agrees(self._judged(), row):
                if not self._is_others_doing(sentence):
                    self._break(sentence)

    def _judged(self) -> invariants.InternalRecords:
        intents: Any = [*self._books.newest("payment_intent", None)]
        returned: Any = [*self._books.newest("refund", None)]
        store: Store = self._store
        return invariants.InternalRecords(
            [*store.payments.values()], [*store.refunds.values()], intents, returned
        )

    def _break(self, sentence: str) -> None:
        if sentence not in self._broken:
            self._broken[sentence] = None
            self._say(f"BROKEN: {sentence}")

    def _is_others_doing(self, sentence: str) -> bool:
        """Whether a payment only ended otherwise than was asked because of the dashboard."""
        return any(words in sentence for words in OTHERS_DOING) and self._is_meddled(sentence)

    def _is_meddled(self, words: str) -> bool:
        rows = self._store.payments.values()
        return any(
            row.intent_id in self._merchant.meddled and str(row.name) in words for row in rows
        )

    def _alarm(self, name: str, about: str, words: str) -> None:
        self._say(f"alarm {name}: {about} {words}")
        if name == "payment_held":
            releasing = self._loop.create_task(self._release(PaymentName.parse(about).id))
            self._people.append(releasing)
        allowed = name in ALLOWED_IF_MEDDLED and self._is_meddled(about)
        if name not in ALLOWED_ALARMS and not allowed:
            self._break(f"the alarm {name} was raised: {about} {words}")

    def _surprised(self, error: Exception) -> None:
        if not isinstance(error, UNKNOWN):
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._break(f"a use case failed: {error!r}")

    def _say(self, words: str) -> None:
        if self._trace:
            self._trace.say(words)

    # ------------------------------------------------------------------ the processor, and its clock

    def _at_processor(self, action: Any) -> Any:
        """Somebody else than a replica asks the processor."""
        self._world.now = self._loop.time()
        _, response = transition(self._books, Request(action), self._world.unix())
        self._network.after_change()
        return response.body

    def _jump(self) -> None:
        """The database fails over to a machine whose clock goes otherwise."""
        self._world.offset = (self._random.random() - 0.5) * 60
        self._weather.met["clock jump"] += 1
        self._say(f"the database's clock jumps by {self._world.offset:+.1f} s")


class JumpingWorld(World):
    """A world whose database has a clock of its own."""

    def __init__(self, books: MutableWorld) -> None:
        self.offset = 0.0
        super().__init__(books)
        self._ports["notifications"] = MemoryNotifications(self.store)

    def clock(self) -> Any:
        """The database's."""
        return BEGINNING + timedelta(seconds=self.now + self.offset)

    def unix(self) -> int:
        """The processor's."""
        return int(BEGINNING.timestamp() + self.now)
