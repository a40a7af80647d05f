"""Between the replicas and the world: calls travel, go astray, arrive late.

A call takes effect whether or not its sender still lives. Two things are spared, because they would
be most of the work and change nothing: recovery's look at a store where nothing is due is answered
when something is, and a reader at the end of the stream when there is more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from payment.domain.evidence import ServerError
from sandbox.mutable_world import MutableWorld
from verification.simulator.loop import VirtualLoop
from verification.simulator.weather import STATEMENT_SECONDS, Weather
from verification.world.calls import Call, Fate, silence
from verification.world.world import World, waits_for

if TYPE_CHECKING:
    import asyncio

READS_AGAIN_WITHIN = 20.0
"""Seconds after which at most a reader of the stream hears of what is new."""
POLLS_WITHIN = 1.0
"""Seconds after which at most recovery sees that something is due (its own pause)."""


@dataclass(slots=True)
class Sent:
    """A call on its way, and where its answer goes."""

    sender: str
    call: Call
    answer: "asyncio.Future[Any]"


@dataclass(slots=True)
class Hanging:
    """An insert whose commit hangs, and those that wait for it."""

    call: Call
    began: float
    waiting: list[Sent] = field(default_factory=list)


Tell = Callable[[str, Call, Fate | str, Any], None]


class Network:
    """Carries the calls of all replicas. `changed` is told after each call that was done."""

    def __init__(
        self,
        loop: VirtualLoop,
        world: World,
        books: MutableWorld,
        weather: Weather,
        random: Random,
        changed: Callable[[], None],
        tell: Tell | None,
    ) -> None:
        self.quiet_after = 0.0  # when the last of what is late will have come
        self._loop = loop
        self._world = world
        self._books = books
        self._weather = weather
        self._random = random
        self._changed = changed
        self._tell = tell
        self._hanging: list[Hanging] = []
        self._idle: list[Sent] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._readers: list[Sent] = []
        self._events = 0

    def send(self, sender: str, call: Call) -> "asyncio.Future[Any]":
        """The answer, sooner or later."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        sent = Sent(sender, call, answer)
        fate = self._weather.fate(call, self._loop.time())
        if fate is Fate.NEVER:
            self._say(sent, fate, None)
            self._give_up(sent)
        elif fate is Fate.LATE:
            self._say(sent, fate, None)
            self._give_up(sent)
            self.later(self._weather.lateness(call), self._arrive_late, call, fate)
        else:
            self._loop.call_later(self._weather.travel(), self._arrive, sent, fate)
        return answer

    # ------------------------------------------------------------------ arriving

    def _arrive(self, sent: Sent, fate: Fate) -> None:
        call = sent.call
        self._world.now = self._loop.time()
        if self._hanging and self._has_to_wait(sent):
            return
        if fate is Fate.HANGS:
            self._hang(sent)
            return
        if call.name == "claim_due" and call.port == "payments" and not self._is_anything_due():
            self._idle.append(sent)
            self._set_alarm()
            return
        written = self._books.changes
        try:
            found = self._do(call, Fate.DONE if fate in (Fate.LOST, Fate.SLOW) else fate)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets it)
            self._say(sent, fate, error)
            self._answer_error(sent, error)
            return
        if call.name == "stream" and not found:
            self._readers.append(sent)
            return
        is_new = self._books.changes > written  # else the key had said so before
        if fate is Fate.FAULTED_LATE and isinstance(found, ServerError) and is_new:
            self.later(self._weather.lateness(call), self._arrive_late, call, fate)
        self._say(sent, fate, found)
        if fate is Fate.LOST:
            self._give_up(sent)
        elif fate is Fate.SLOW:
            self._loop.call_later(self._weather.slowness(call), answer, sent, found)
        elif self._random.random() < 0.5:
            answer(sent, found)
        else:
            self._loop.call_later(self._weather.travel(), answer, sent, found)

    def _do(self, call: Call, fate: Fate) -> Any:
        found = self._world.do(call, fate)
        self.after_change()
        return found

    def after_change(self) -> None:
        """Whoever looks on is told; whoever waited for news goes on."""
        self._changed()
        if self._idle:
            self._set_alarm()
        if self._readers and len(self._world.store.events) > self._events:
            self.wake_readers()

    def wake_readers(self) -> None:
        """Let those who wait at the end of the stream look again."""
        self._events = len(self._world.store.events)
        readers, self._readers = self._readers, []
        for reader in readers:
            wait = self._random.random() * READS_AGAIN_WITHIN
            self._loop.call_later(wait, self._arrive, reader, Fate.DONE)

    def _give_up(self, sent: Sent) -> None:
        self._loop.call_later(self._weather.patience(sent.call), hear_nothing, sent)

    def _answer_error(self, sent: Sent, error: Exception) -> None:
        if not sent.answer.done():
            sent.answer.set_exception(error)

    # ------------------------------------------------------------------ late, and hanging

    def later(self, wait: float, callback: Callable[..., None], *arguments: Any) -> None:
        """Do something to the world later; before that, it is not quiet."""
        self.quiet_after = max(self.quiet_after, self._loop.time() + wait)
        self._loop.call_later(wait, callback, *arguments)

    def _arrive_late(self, call: Call, fate: Fate) -> None:
        self._world.now = self._loop.time()
        if self._hanging and self._hanging_before(call):
            return  # nobody is there to wait: the connection was lost, the statement with it
        self._world.do_late(call, fate)
        self._say_late(call, fate.value)
        self.after_change()

    def _hang(self, sent: Sent) -> None:
        if sent.call.port != "payments" or not self._world.can_hang(sent.call):
            self._arrive(sent, Fate.DONE)
            return
        self._say(sent, Fate.HANGS, None)
        self._give_up(sent)
        hanging = Hanging(sent.call, self._world.now)
        self._hanging.append(hanging)
        wait, commits = self._weather.hanging()
        self.later(wait, self._end_hanging, hanging, commits)

    def _end_hanging(self, hanging: Hanging, commits: bool) -> None:
        self._hanging.remove(hanging)
        self._say_late(hanging.call, "commits at last" if commits else "is rolled back")
        if commits:
            self._world.now = hanging.began  # a transaction's times are those of its beginning
            self._world.commit(hanging.call)
            self._world.now = self._loop.time()
            self.after_change()
        for sent in hanging.waiting:
            self._loop.call_soon(self._arrive, sent, Fate.DONE)

    def _has_to_wait(self, sent: Sent) -> bool:
        """An insert that wants the same place in an index waits, as long as a statement may."""
        hanging = self._hanging_before(sent.call)
        if hanging is None:
            return False
        hanging.waiting.append(sent)
        self._loop.call_later(STATEMENT_SECONDS, self._end_waiting, hanging, sent)
        return True

    def _hanging_before(self, call: Call) -> Hanging | None:
        now = self._world.store.clock()
        return next((one for one in self._hanging if waits_for(call, one.call, now)), None)

    def _end_waiting(self, hanging: Hanging, sent: Sent) -> None:
        if sent in hanging.waiting and hanging in self._hanging:
            hanging.waiting.remove(sent)
            self._say(sent, "waited too long for another's commit", None)
            hear_nothing(sent)

    # ------------------------------------------------------------------ nothing due

    def _is_anything_due(self) -> bool:
        now = self._world.store.clock()
        return any(due <= now for due in self._world.store.due.values())

    def _set_alarm(self) -> None:
        due = self._world.store.due
        if not due:
            return
        now = self._world.store.clock()
        wait = max((min(due.values()) - now).total_seconds(), 0.0)
        when = self._loop.time() + wait
        if self._alarm is not None and self._alarm.when() <= when:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._wake_idle)

    def _wake_idle(self) -> None:
        self._alarm = None
        self._world.now = self._loop.time()
        if not self._is_anything_due():
            self._set_alarm()
            return
        idle, self._idle = self._idle, []
        for sent in idle:
            if not sent.answer.done():
                wait = self._random.random() * POLLS_WITHIN
                self._loop.call_later(wait, self._arrive, sent, Fate.DONE)

    # ------------------------------------------------------------------ telling

    def _say(self, sent: Sent, fate: Fate | str, found: Any) -> None:
        if self._tell:
            self._tell(sent.sender, sent.call, fate, found)

    def _say_late(self, call: Call, what: str) -> None:
        if self._tell:
            self._tell("late", call, what, None)


def answer(sent: Sent, found: Any) -> None:
    """Give a caller its answer, if it still waits."""
    if not sent.answer.done():
        sent.answer.set_result(found)


def hear_nothing(sent: Sent) -> None:
    """Let a caller go on without an answer."""
    if sent.answer.done():
        return
    try:
        sent.answer.set_result(silence(sent.call))
    except Exception as error:  # noqa: BLE001 (as an adapter raises it)
        sent.answer.set_exception(error)
