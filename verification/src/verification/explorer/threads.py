"""A use case under way, as a value.

A coroutine is determined by the answers it was given: so where it stands is that short list, and
nothing of Python's need be copied. All that was ever reached is one tree; a node is a program and
the answers so far, and holds the call that comes next. A node is a small integer.
"""

import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from payment.domain.payment import Payment
from verification.explorer.programs import Program
from verification.world.calls import Call
from verification.world.use_cases import use_cases
from verification.world.world import INSTALLATION, STANDING

PRIVATE: dict[tuple[str, str], Any] = {
    ("payments", "reschedule"): None,
    ("refunds", "reschedule"): None,
    ("customers", "standing"): STANDING,
}
"""Calls that touch nothing anybody else sees here: answered at once, without a step of the world."""


class Answer(NamedTuple):
    """What a thread is given: an answer or an error, and what it can learn by looking around."""

    value: Any
    is_error: bool
    now: float
    caller_gone: bool


class Alarm(NamedTuple):
    """An alarm that was raised on the way."""

    name: str
    words: str


@dataclass(slots=True, eq=False)
class Node:
    """Where a thread stands. `call` is None where it has ended, with `result`."""

    program: Program
    path: tuple[Answer, ...]
    call: Call | None = None
    result: Any = None
    failed: bool = False
    alarms: tuple[Alarm, ...] = ()
    children: dict[int, int] = field(default_factory=dict)


class Surroundings:
    """What a use case learns without asking: the time, whether its caller waits, a new id."""

    def __init__(self, number: int) -> None:
        self.now = 0.0
        self.caller_gone = False
        self.alarms: list[Alarm] = []
        self._ids = iter(range(number * 16, number * 16 + 16))

    def alarm(self, name: str, about: str, words: str) -> None:
        """Keep it."""
        self.alarms.append(Alarm(name, f"{about}: {words}"))

    def new_id(self) -> UUID:
        """The same on each replay."""
        return UUID(int=next(self._ids))

    def is_gone(self) -> bool:
        """Whether nobody waits any more."""
        return self.caller_gone

    def build_payment(self, payment: Payment) -> None:
        """Whoever waits is told: nobody here depends on it."""


@types.coroutine
def ask(call: Call) -> Generator[Call, Answer, Any]:
    """Hand a call out of the coroutine; give or raise what comes back."""
    answer = yield call
    if answer.is_error:
        raise type(answer.value)(*answer.value.args)
    return answer.value


class Threads:
    """The tree of all threads that were reached."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._roots: dict[tuple[Program, float], int] = {}
        self._answers: dict[Answer, int] = {}
        self._known: list[Answer] = []

    def root(self, program: Program, now: float) -> int:
        """A program before its first call."""
        found = self._roots.get((program, now))
        if found is None:
            start = Answer(None, is_error=False, now=now, caller_gone=False)
            found = self._roots[program, now] = self._grow(program, (start,))
        return found

    def answer(self, answer: Answer) -> int:
        """An answer's number."""
        number = self._answers.setdefault(answer, len(self._known))
        if number == len(self._known):
            self._known.append(answer)
        return number

    def answered(self, number: int) -> Answer:
        """The answer of a number."""
        return self._known[number]

    def after(self, node: int, answer: int) -> int:
        """Where a thread stands once it has this answer."""
        parent = self.nodes[node]
        child = parent.children.get(answer)
        if child is None:
            path = (*parent.path, self._known[answer])
            child = parent.children[answer] = self._grow(parent.program, path)
        return child

    def _grow(self, program: Program, path: tuple[Answer, ...]) -> int:
        around = Surroundings(getattr(program, "number", 0))
        replica = use_cases(
            ask,
            alarm=around.alarm,
            new_id=around.new_id,
            elapsed=lambda: around.now,
            jitter=lambda: 0.0,
            installation=INSTALLATION,
        )
        node = Node(program, path)
        replay(program.begin(replica, around), path, around, node)
        self.nodes.append(node)
        return len(self.nodes) - 1


def replay(
    work: Coroutine[Call, Answer | None, Any],
    path: tuple[Answer, ...],
    around: Surroundings,
    node: Node,
) -> None:
    """Run a use case up to the first call that `path` does not answer; write it into the node."""
    send: Callable[[Answer | None], Call] = work.send
    try:
        for place, answer in enumerate(path):
            around.now, around.caller_gone = answer.now, answer.caller_gone
            around.alarms.clear()
            call = send(answer if place else None)
            while (call.port, call.name) in PRIVATE:
                private = PRIVATE[call.port, call.name]
                call = send(answer._replace(value=private, is_error=False))
        node.call = call
    except StopIteration as end:
        node.result = end.value
    except Exception as error:  # noqa: BLE001 - whatever it is, it is how the use case ended
        node.result, node.failed = error, True
    finally:
        work.close()
    node.alarms = tuple(around.alarms)
