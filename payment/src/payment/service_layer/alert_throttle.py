"""When an alarm that still holds is raised again."""

from datetime import datetime, timedelta

REMIND_AFTER = timedelta(hours=1)
"""The longest wait of the schedule: while the processor is out of reach each payment is looked at
every minute, and an alarm at each look would bury all others.
"""


class AlertThrottle:
    """Remembers what was told, in one process: each replica tells by itself, and a new one anew."""

    def __init__(self) -> None:
        self._told: dict[str, datetime] = {}  # in the order of the telling

    def is_time(self, about: str, now: datetime) -> bool:
        """Whether to tell of it now: the first time, and when an hour has passed."""
        while self._told and now - next(iter(self._told.values())) >= REMIND_AFTER:
            del self._told[next(iter(self._told))]
        if about in self._told:
            return False
        self._told[about] = now
        return True
