"""A use case in progress, as a value.

A coroutine is determined by the results of its calls. So its state is the list of these results, and
nothing of Python's has to be copied. All lists that were reached form one tree. A node of it is a
program with the results so far, and has the call that comes next. A node is a small integer.
"""

import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from payment.domain.payment import Payment
from payment.service_layer.alerts import Alert
from verification.explorer.programs import Program
from verification.world.calls import Call
from verification.world.requests import resource_id
from verification.world.use_cases import build_replica
from verification.world.world import ACTIVE_CUSTOMER

LOCAL_RESULTS: dict[tuple[str, str], Any] = {
    ("payments", "reschedule"): None,
    ("refunds", "reschedule"): None,
    ("customers", "find"): ACTIVE_CUSTOMER,
}
"""Calls whose effect no other thread can see here. They are answered at once, without a transition."""
MAX_IDS = 16
"""The ids that one program may make."""


class CallResult(NamedTuple):
    """What a thread gets back: a value or an error, and what it can observe at that time."""

    value: Any
    is_error: bool
    now: float
    caller_gone: bool


class RaisedAlert(NamedTuple):
    """An alert that a thread raised."""

    alert: Alert
    words: str


@dataclass(slots=True, eq=False)
class Node:
    """The state of a thread. `call` is None where it has ended, with `outcome`."""

    program: Program
    results: tuple[CallResult, ...]
    call: Call | None = None
    outcome: Any = None
    failed: bool = False
    alerts: tuple[RaisedAlert, ...] = ()
    children: dict[int, int] = field(default_factory=dict)


class Environment:
    """What a use case observes without a call: the time, whether its caller waits, a new id."""

    def __init__(self, number: int) -> None:
        self.now = 0.0
        self.caller_gone = False
        self.alerts: list[RaisedAlert] = []
        self._numbers = iter(range(number * MAX_IDS, (number + 1) * MAX_IDS))

    def alert(self, alert: Alert, about: str, words: str) -> None:
        self.alerts.append(RaisedAlert(alert, f"{about}: {words}"))

    def new_id(self) -> UUID:
        """The same ids at each replay."""
        return resource_id(next(self._numbers))

    def is_gone(self) -> bool:
        """Whether the caller waits no longer."""
        return self.caller_gone

    def on_created(self, payment: Payment) -> None:
        """The payment is recorded. No caller reads it here."""

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[bool]:
        """A slot of the bulkhead: always free here."""
        yield True


@types.coroutine
def suspend(call: Call) -> Generator[Call, CallResult, Any]:
    """Hand a call out of the coroutine; return or raise its result."""
    result = yield call
    if result.is_error:
        raise type(result.value)(*result.value.args)
    return result.value


class ReplayTree:
    """The tree of all thread states that were reached."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._roots: dict[tuple[Program, float], int] = {}
        self._numbers: dict[CallResult, int] = {}
        self._results: list[CallResult] = []

    def root(self, program: Program, now: float) -> int:
        """A program before its first call."""
        found = self._roots.get((program, now))
        if found is None:
            start = CallResult(None, is_error=False, now=now, caller_gone=False)
            found = self._roots[program, now] = self._grow(program, (start,))
        return found

    def number(self, result: CallResult) -> int:
        """The number of a result."""
        number = self._numbers.setdefault(result, len(self._results))
        if number == len(self._results):
            self._results.append(result)
        return number

    def after(self, node: int, result: int) -> int:
        """The thread once it has this result."""
        parent = self.nodes[node]
        child = parent.children.get(result)
        if child is None:
            results = (*parent.results, self._results[result])
            child = parent.children[result] = self._grow(parent.program, results)
        return child

    def _grow(self, program: Program, results: tuple[CallResult, ...]) -> int:
        environment = Environment(getattr(program, "number", 0))
        replica = build_replica(
            suspend,
            alert=environment.alert,
            new_id=environment.new_id,
            elapsed=lambda: environment.now,
            jitter=lambda: 0.0,
            bulkhead=environment,
        )
        node = Node(program, results)
        replay(program.start(replica, environment), environment, node)
        self.nodes.append(node)
        return len(self.nodes) - 1


def replay(
    work: Coroutine[Call, CallResult | None, Any], environment: Environment, node: Node
) -> None:
    """Run a use case on the node's results up to its next call or its end; write that into the node."""
    send: Callable[[CallResult | None], Call] = work.send
    try:
        for place, result in enumerate(node.results):
            environment.now, environment.caller_gone = result.now, result.caller_gone
            environment.alerts.clear()
            call = send(result if place else None)
            while (call.port, call.name) in LOCAL_RESULTS:
                local = LOCAL_RESULTS[call.port, call.name]
                call = send(result._replace(value=local, is_error=False))
        node.call = call
    except StopIteration as end:
        node.outcome = end.value
    except Exception as error:  # noqa: BLE001 - however the use case fails, that is its outcome
        node.outcome, node.failed = error, True
    finally:
        work.close()
    node.alerts = tuple(environment.alerts)
