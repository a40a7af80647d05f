"""A move, told in words: who, what, and what came back."""

from typing import Any

from payment.domain.creation import Conflicts
from payment.domain.evidence import Intent
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.service_layer.ports import Snapshot
from verification.explorer.states import Worlds
from verification.explorer.steps import Move
from verification.world.calls import Call, Fate


def told(worlds: Worlds, move: Move) -> str:
    """One line of a trace."""
    if move.node < 0:
        if move.fate is None:
            return move.what
        return f"{call_in_words(worlds.calls.values[move.answer])} {move.what}"
    node = worlds.threads.nodes[move.node]
    who = f"{node.program} [{move.node}]"
    assert node.call is not None  # noqa: S101 - it moved
    if move.what == "crash":
        return f"{who} dies before {call_in_words(node.call)}"
    line = (
        f"{who}: {call_in_words(node.call)} -> {answer_in_words(worlds.values.values[move.answer])}"
    )
    if move.fate is not Fate.DONE and move.fate is not None:
        line += f" ({move.fate.value})"
    return line if move.what == "calls" else f"{line}; {move.what}"


def call_in_words(call: Call) -> str:
    """A call with what matters of its arguments."""
    return f"{call}({', '.join(filter(None, map(answer_in_words, call.arguments)))})"


def answer_in_words(value: Any) -> str:
    """A value, as short as it can be told."""
    match value:
        case Payment():
            money = f", captured {value.amount_captured}" if value.amount_captured else ""
            return f"{value.state.value} idempotency_counter={value.idempotency_counter} v={value.version} on {value.intent_id[-3:]}{money}"
        case Snapshot():
            return answer_in_words(value.payment)
        case Intent():
            return f"{value.id[-3:]} {value.status.value}"
        case Refund():
            return f"refund of {value.amount} {value.state.value}"
        case Conflicts():
            held = {
                "request": value.same_request,
                "id": value.same_id,
                "reference": value.same_reference,
            }
            words = [f"{name} {answer_in_words(by)}" for name, by in held.items() if by]
            return f"held: {', '.join(words)}" if words else "nobody holds it"
        case None:
            return "nothing"
        case tuple():
            return f"[{', '.join(map(answer_in_words, value))}]"
    return str(value)[:80] if not hasattr(value, "__dataclass_fields__") else repr(value)[:100]
