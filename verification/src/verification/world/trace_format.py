"""Values as the words of a trace: the arguments and results of calls, short enough for one line."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.aip.resources import Snapshot
from payment.domain.creation import Conflicts, CreationAttempt
from payment.domain.customer import Customer
from payment.domain.events import NewEvent, PaymentEvent
from payment.domain.evidence import Intent, ProcessorRefund
from payment.domain.machine import Post
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.service_layer.ports import Due, RequestRecord
from verification.world.calls import Call
from verification.world.world import EPOCH

RESOURCE_ID = re.compile("00000000-0000-7000-8000-(0*[0-9a-f]+)")
REQUEST_ID = re.compile("00000000-0000-05e9-0000-(0*[0-9a-f]+)")


def format_call(call: Call) -> str:
    """A call with its arguments."""
    return f"{call}({', '.join(filter(None, map(format_value, call.arguments)))})"


def format_value(value: Any) -> str:
    """An argument or a result; empty for None."""
    if isinstance(value, Exception):
        return repr(value)
    formatter = FORMATTERS.get(type(value))
    return formatter(value) if formatter else str(value)


def shorten_ids(text: str) -> str:
    """Numbers in place of our ids."""
    text = RESOURCE_ID.sub(lambda found: f"#{int(found[1], 16)}", text)
    return REQUEST_ID.sub(lambda found: f"request {int(found[1], 16)}", text)


def format_time(seconds: float) -> str:
    """Days, hours, minutes, seconds and milliseconds since the epoch of the world."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02}:{minutes:02}:{milliseconds / 1000:06.3f}"


def format_payment(payment: Payment) -> str:
    captured = f", captured {payment.amount_captured}" if payment.amount_captured else ""
    held = ", held" if payment.held else ""
    counter, version = payment.idempotency_counter, payment.version
    return f"{payment.id} {payment.state.value} counter={counter} v{version}{captured}{held}"


def format_refund(refund: Refund) -> str:
    return f"{refund.id} {refund.state.value} {refund.amount} v{refund.version}"


def format_conflicts(conflicts: Conflicts) -> str:
    holders = {
        "request_id": conflicts.same_request,
        "id": conflicts.same_id,
        "reference": conflicts.same_reference,
    }
    taken = [f"{name} taken by {holder.id}" for name, holder in holders.items() if holder]
    return ", ".join(taken) or "no conflict"


def format_all(values: Sequence[Any]) -> str:
    return f"[{'; '.join(map(format_value, values))}]"


FORMATTERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    Payment: format_payment,
    Refund: format_refund,
    Snapshot: lambda snapshot: format_value(snapshot.resource),
    Conflicts: format_conflicts,
    CreationAttempt: lambda attempt: f"{attempt.id} for {attempt.request.request_id}",
    Post: lambda post: f"{post.operation.value} counter={post.idempotency_counter}",
    Intent: lambda intent: f"{intent.id} {intent.status.value}",
    ProcessorRefund: lambda refund: f"{refund.id} {refund.status.value}",
    Customer: lambda customer: customer.status.value,
    NewEvent: lambda event: event.type.value,
    PaymentEvent: lambda event: f"{event.payment_id} {event.type.value}",
    RequestRecord: lambda record: str(record.request_id),
    Due: lambda due: f"{format_value(due.snapshot)}, attempt {due.attempt}",
    datetime: lambda time: f"by {format_time((time - EPOCH).total_seconds())}",
    timedelta: lambda wait: f"in {wait.total_seconds():.1f} s",
    list: format_all,
    tuple: format_all,
}
