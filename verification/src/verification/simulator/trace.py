"""A run, told: virtual time, who, what, what became of it. Two runs of a seed tell the same."""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from payment.domain.creation import Conflicts, CreationAttempt
from payment.domain.events import NewEvent, PaymentEvent
from payment.domain.evidence import Intent, ProcessorRefund
from payment.domain.machine import Post
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.service_layer.ports import CustomerCheck, Due, DueRefund, RequestRecord, Snapshot
from verification.world.calls import Call, Fate
from verification.world.world import BEGINNING

OURS = re.compile("00000000-0000-7000-8000-(0*[0-9a-f]+)")
REQUESTS = re.compile("00000000-0000-05e9-0000-(0*[0-9a-f]+)")


class Trace:
    """Lines of one run, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.clock: Callable[[], float] = float

    def of_call(self, who: str, call: Call, fate: Fate | str, found: Any) -> None:
        """A call, and what became of it."""
        arguments = ", ".join(filter(None, map(told, call.arguments)))
        what = fate.value if isinstance(fate, Fate) else fate
        if fate is Fate.DONE:
            what = told(found) or "nothing"
        self._write(who, f"{call.name}({arguments}): {what}", call.port)

    def of_people(self, who: str, words: str) -> None:
        """What people do."""
        self._write(who, words)

    def say(self, words: str) -> None:
        """Anything else."""
        self._write("", words)

    def hash(self) -> str:
        """The same for the same run."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def _write(self, who: str, words: str, port: str = "") -> None:
        where = f"{port}." if port else ""
        self.lines.append(
            f"{since_the_beginning(self.clock()):>16}  {who:<23} {short(where + words)}"
        )


def since_the_beginning(seconds: float) -> str:
    """Days, hours, minutes, seconds, milliseconds."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02}:{minutes:02}:{milliseconds / 1000:06.3f}"


def short(words: str) -> str:
    """With numbers in place of our ids."""
    words = OURS.sub(lambda found: f"#{int(found[1], 16)}", words)
    return REQUESTS.sub(lambda found: f"request {int(found[1], 16)}", words)


def told(value: Any) -> str:
    """An argument or an answer, as short as it can be told."""
    words = WORDS.get(type(value))
    return words(value) if words else str(value)


def of_payment(payment: Payment) -> str:
    held = ", held" if payment.held else ""
    return f"{payment.id} {payment.state.value} idempotency_counter={payment.idempotency_counter} v{payment.version}{held}"


def of_refund(refund: Refund) -> str:
    return f"{refund.id} {refund.state.value} {refund.amount} v{refund.version}"


def of_holders(holders: Conflicts) -> str:
    held = (holders.same_request, holders.same_id, holders.same_reference)
    return f"held by {', '.join(str(one.id) if one else 'nobody' for one in held)}"


def of_all(values: Sequence[Any]) -> str:
    return f"[{'; '.join(map(told, values))}]"


def of_time(time: datetime) -> str:
    return f"by {since_the_beginning((time - BEGINNING).total_seconds())}"


WORDS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    Payment: of_payment,
    Refund: of_refund,
    Snapshot: lambda seen: of_payment(seen.payment),
    Conflicts: of_holders,
    CreationAttempt: lambda attempt: f"{attempt.id} for {attempt.request.request_id}",
    Post: lambda post: f"{post.operation.value} idempotency_counter={post.idempotency_counter}",
    Intent: lambda intent: f"{intent.id} {intent.status.value}",
    ProcessorRefund: lambda word: f"{word.id} {word.status.value}",
    CustomerCheck: lambda standing: standing.verdict.value,
    NewEvent: lambda event_for: event_for.type.value,
    PaymentEvent: lambda event: f"{event.payment_id} {event.type.value}",
    RequestRecord: lambda record: str(record.request_id),
    Due: lambda due: f"{due.id}, attempt {due.attempt}",
    DueRefund: lambda due: f"{of_refund(due.refund)}, attempt {due.attempt}",
    datetime: of_time,
    timedelta: lambda wait: f"for {wait.total_seconds():.1f} s",
    list: of_all,
    tuple: of_all,
}
"""What is told of a value, by its type."""
