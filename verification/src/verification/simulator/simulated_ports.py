"""The ports of all replicas: calls travel, get lost, arrive late, and take effect on the world.

A call takes effect whether or not its sender still runs. Two calls are answered only when there is
something to answer, since they would be most of the run and change nothing: recovery's claim where
nothing is due, and a reader at the end of the stream.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from payment.domain.evidence import ServerError
from sandbox.mutable_world import MutableWorld
from verification.simulator.fault_profile import STATEMENT_TIMEOUT_SECONDS, FaultProfile
from verification.simulator.loop import VirtualLoop
from verification.simulator.trace import Trace
from verification.world.calls import Call, without_reply
from verification.world.faults import CallFault
from verification.world.world import World, is_blocked_by

if TYPE_CHECKING:
    import asyncio

MAX_STREAM_POLL_SECONDS = 20.0
"""When a reader of the stream sees at the latest what is new."""
MAX_CLAIM_POLL_SECONDS = 1.0
"""When recovery sees at the latest that something is due: its own pause."""

IN_WORLD = {
    CallFault.REPLY_LOST: CallFault.NONE,
    CallFault.REPLY_DELAYED: CallFault.NONE,
}
"""The faults that leave the effect of a call as it is."""


@dataclass(slots=True)
class Request:
    """A call in flight, and the future of its reply."""

    sender: str
    call: Call
    reply: "asyncio.Future[Any]"


@dataclass(slots=True)
class HangingCommit:
    """An insert whose commit hangs, and the requests that it blocks."""

    call: Call
    began: float
    blocked: list[Request] = field(default_factory=list)


class SimulatedPorts:
    """Carries the calls of all replicas. `on_change` is called after each call that took effect."""

    def __init__(
        self,
        loop: VirtualLoop,
        world: World,
        processor: MutableWorld,
        faults: FaultProfile,
        random: Random,
        on_change: Callable[[], None],
        trace: Trace,
    ) -> None:
        self.last_arrival = 0.0  # when the last delayed effect will have arrived
        self._loop = loop
        self._world = world
        self._processor = processor
        self._faults = faults
        self._random = random
        self._on_change = on_change
        self._trace = trace
        self._hanging: list[HangingCommit] = []
        self._claims: list[Request] = []
        self._claims_timer: asyncio.TimerHandle | None = None
        self._readers: list[Request] = []
        self._events_read = 0

    def send(self, sender: str, call: Call) -> "asyncio.Future[Any]":
        """Send a call; returns the future of its reply."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        request = Request(sender, call, reply)
        fault = self._faults.call_fault(call, self._loop.time())
        if fault is CallFault.REQUEST_LOST:
            self._log(request, fault, None)
            self._time_out(request)
        elif fault is CallFault.REQUEST_DELAYED:
            self._log(request, fault, None)
            self._time_out(request)
            self.schedule(self._faults.request_delay(call), self._arrive_late, call, fault)
        else:
            self._loop.call_later(self._faults.latency(), self._arrive, request, fault)
        return reply

    # ------------------------------------------------------------------ arriving

    def _arrive(self, request: Request, fault: CallFault) -> None:
        call = request.call
        self._world.now = self._loop.time()
        if self._hanging and self._block(request):
            return
        if fault is CallFault.COMMIT_HANGS:
            self._hang(request)
            return
        if self._waits_for_work(request):
            self._claims.append(request)
            self._set_claims_timer()
            return
        written = self._processor.changes
        try:
            result = self._world.perform(call, IN_WORLD.get(fault, fault))
            self.changed()
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets it)
            self._log(request, fault, error)
            fail(request, error)
            return
        if call.name == "stream" and not result:
            self._readers.append(request)
            return
        is_new = self._processor.changes > written  # else it is a replay of the idempotency key
        is_late = fault is CallFault.SERVER_ERROR_BEFORE_EFFECT
        if is_late and isinstance(result, ServerError) and is_new:
            self.schedule(self._faults.request_delay(call), self._arrive_late, call, fault)
        self._log(request, fault, result)
        self._reply(request, fault, result)

    def _reply(self, request: Request, fault: CallFault, result: Any) -> None:
        if fault is CallFault.REPLY_LOST:
            self._time_out(request)
        elif fault is CallFault.REPLY_DELAYED:
            self._loop.call_later(self._faults.reply_delay(request.call), reply, request, result)
        elif self._random.random() < 0.5:
            reply(request, result)
        else:
            self._loop.call_later(self._faults.latency(), reply, request, result)

    def changed(self) -> None:
        """The world has changed: resume what waits for that."""
        self._on_change()
        if self._claims:
            self._set_claims_timer()
        if self._readers and len(self._world.store.events) > self._events_read:
            self._wake_readers()

    def _wake_readers(self) -> None:
        """Let the readers at the end of the stream read again."""
        self._events_read = len(self._world.store.events)
        readers, self._readers = self._readers, []
        for reader in readers:
            wait = self._random.random() * MAX_STREAM_POLL_SECONDS
            self._loop.call_later(wait, self._arrive, reader, CallFault.NONE)

    def _time_out(self, request: Request) -> None:
        self._loop.call_later(self._faults.timeout(request.call), give_up, request)

    # ------------------------------------------------------------------ late, and hanging

    def schedule(self, wait: float, callback: Callable[..., None], *arguments: Any) -> None:
        """Change the world later: until then the run is not quiescent."""
        self.last_arrival = max(self.last_arrival, self._loop.time() + wait)
        self._loop.call_later(wait, callback, *arguments)

    def _arrive_late(self, call: Call, fault: CallFault) -> None:
        self._world.now = self._loop.time()
        if self._hanging and self._blocker_of(call):
            return  # no one waits: the connection was lost, and the statement with it
        self._world.perform_late(call, fault)
        self._trace.call("late", call, fault, None)
        self.changed()

    def _hang(self, request: Request) -> None:
        if request.call.port != "payments" or not self._world.would_insert(request.call):
            self._arrive(request, CallFault.NONE)
            return
        self._log(request, CallFault.COMMIT_HANGS, None)
        self._time_out(request)
        hanging = HangingCommit(request.call, self._world.now)
        self._hanging.append(hanging)
        wait, commits = self._faults.hanging_commit()
        self.schedule(wait, self._end_hanging, hanging, commits)

    def _end_hanging(self, hanging: HangingCommit, commits: bool) -> None:
        self._hanging.remove(hanging)
        event = "the hanging commit ends" if commits else "is rolled back"
        self._trace.call("late", hanging.call, event, None)
        if commits:
            self._world.now = hanging.began  # a transaction's times are those of its beginning
            self._world.commit(hanging.call)
            self._world.now = self._loop.time()
            self.changed()
        for request in hanging.blocked:
            self._loop.call_soon(self._arrive, request, CallFault.NONE)

    def _block(self, request: Request) -> bool:
        """An insert waits for a hanging one of the same unique key, as long as a statement may."""
        hanging = self._blocker_of(request.call)
        if hanging is None:
            return False
        hanging.blocked.append(request)
        self._loop.call_later(STATEMENT_TIMEOUT_SECONDS, self._end_blocked, hanging, request)
        return True

    def _blocker_of(self, call: Call) -> HangingCommit | None:
        now = self._world.store.clock()
        return next((each for each in self._hanging if is_blocked_by(call, each.call, now)), None)

    def _end_blocked(self, hanging: HangingCommit, request: Request) -> None:
        if request in hanging.blocked and hanging in self._hanging:
            hanging.blocked.remove(request)
            self._log(request, "timed out behind another's commit", None)
            give_up(request)

    # ------------------------------------------------------------------ claims without work

    def _waits_for_work(self, request: Request) -> bool:
        is_claim = str(request.call) == "payments.claim_due"
        return is_claim and not self._is_anything_due()

    def _is_anything_due(self) -> bool:
        now = self._world.store.clock()
        return any(due <= now for due in self._world.store.due.values())

    def _set_claims_timer(self) -> None:
        due = self._world.store.due
        if not due:
            return
        now = self._world.store.clock()
        wait = max((min(due.values()) - now).total_seconds(), 0.0)
        when = self._loop.time() + wait
        if self._claims_timer is not None and self._claims_timer.when() <= when:
            return
        if self._claims_timer is not None:
            self._claims_timer.cancel()
        self._claims_timer = self._loop.call_at(when, self._answer_claims)

    def _answer_claims(self) -> None:
        self._claims_timer = None
        self._world.now = self._loop.time()
        if not self._is_anything_due():
            self._set_claims_timer()
            return
        claims, self._claims = self._claims, []
        for request in claims:
            if not request.reply.done():
                wait = self._random.random() * MAX_CLAIM_POLL_SECONDS
                self._loop.call_later(wait, self._arrive, request, CallFault.NONE)

    def _log(self, request: Request, fault: CallFault | str, result: Any) -> None:
        self._trace.call(request.sender, request.call, fault, result)


def reply(request: Request, result: Any) -> None:
    """Give a caller its result, if it still waits."""
    if not request.reply.done():
        request.reply.set_result(result)


def fail(request: Request, error: Exception) -> None:
    """Give a caller an error, if it still waits."""
    if not request.reply.done():
        request.reply.set_exception(error)


def give_up(request: Request) -> None:
    """Let a caller go on without a reply."""
    try:
        reply(request, without_reply(request.call))
    except Exception as error:  # noqa: BLE001 (as an adapter raises it)
        fail(request, error)
