"""A transition as one line of a trace: who, which call, what came back, what went wrong."""

from verification.explorer.state_space import StateSpace
from verification.explorer.successors import Transition
from verification.world.faults import CallFault
from verification.world.trace_format import format_call, format_value, shorten_ids


def format_transition(space: StateSpace, transition: Transition) -> str:
    """One line of a trace."""
    return shorten_ids(_format(space, transition))


def _format(space: StateSpace, transition: Transition) -> str:
    fault, event = transition.fault, transition.event
    if transition.node < 0:
        return f"{format_call(space.calls.values[transition.value])} {event}" if fault else event
    node = space.threads.nodes[transition.node]
    assert node.call is not None  # noqa: S101 - it made one
    thread, call = f"{node.program} [{transition.node}]", format_call(node.call)
    if fault is None:
        return f"{thread} crashes before {call}"
    line = f"{thread}: {call} -> {format_value(space.values.values[transition.value]) or 'nothing'}"
    line += f" ({fault.value})" if fault is not CallFault.NONE else ""
    return f"{line}; {event}" if event else line
