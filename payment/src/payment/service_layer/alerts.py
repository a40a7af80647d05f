"""Alerts: what a person has to look at. Each is a log event of level error, by the name given here.

The names are an API: operators' rules match them (docs/kubernetes.md).
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

REPEAT_AFTER = timedelta(hours=1)
"""The longest wait of the schedule. While the processor is unreachable each payment is attempted every
minute, and an alert at each attempt would bury all others.
"""


class Alert(Enum):
    """The alerts that use cases raise."""

    PAYMENT_HELD = "payment_held"
    PAYMENT_INCIDENT = "payment_incident"
    PAYMENT_OVERDUE = "payment_overdue"
    REFUND_INCIDENT = "refund_incident"
    REFUND_OVERDUE = "refund_overdue"
    INVARIANT_VIOLATED = "invariant_violated"
    EVENTS_STALLED = "events_stalled"
    RECOVERY_STALLED = "recovery_stalled"


class RaiseAlert(Protocol):
    """Raises an alert.

    Args:
        about: the resource name that it is about; empty for none.
        words: what to know, in words, without personal details.
    """

    def __call__(self, alert: Alert, about: str, words: str) -> None: ...


class AlertThrottle:
    """Remembers which alerts were raised, in one process: each replica raises its own."""

    def __init__(self) -> None:
        self._raised: dict[str, datetime] = {}  # in the order of raising

    def is_time(self, about: str, now: datetime) -> bool:
        """Whether to raise an alert now: the first time, and again when an hour has passed."""
        while self._raised and now - next(iter(self._raised.values())) >= REPEAT_AFTER:
            del self._raised[next(iter(self._raised))]
        if about in self._raised:
            return False
        self._raised[about] = now
        return True
