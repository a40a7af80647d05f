"""Alerts when the event stream or recovery stalls. Every replica looks, and alerts by itself."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from payment.service_layer.alerts import Alert, RaiseAlert
from payment.service_layer.ports import ProgressReader

POLL_SECONDS = 10.0
STREAM_STALLS_AFTER = timedelta(seconds=30)
"""How long an event may wait for the transactions before it. Ours end within 10 s, by their limits:
what blocks the stream longer is somebody else's, or waits for a standby that is gone.
"""
RECOVERY_STALLS_AFTER = timedelta(minutes=2)
"""How long what is due may wait for recovery, which claims every second."""


@dataclass(frozen=True, slots=True)
class StallAlerts:
    """Raises an alert once when something stalls. `on_resolved`: it goes on again."""

    progress: ProgressReader
    alert: RaiseAlert
    on_resolved: Callable[[Alert], None]
    on_unexpected_error: Callable[[Exception], None]
    active: set[Alert] = field(default_factory=set)

    async def run(self) -> None:
        """Checks until it is canceled."""
        while True:
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001 (the database is away: check again later)
                self.on_unexpected_error(error)
            await asyncio.sleep(POLL_SECONDS)

    async def check(self) -> None:
        """Checks once."""
        hidden = await self.progress.oldest_hidden_event()
        if self._begins(Alert.EVENTS_STALLED, hidden, STREAM_STALLS_AFTER) and hidden:
            blockers = "; ".join(await self.progress.stream_blockers())
            who = blockers or "nobody that our role may see"
            self.alert(Alert.EVENTS_STALLED, "", f"for {hidden.total_seconds():.0f} s, by {who}")
        waiting = await self.progress.longest_due()
        if self._begins(Alert.RECOVERY_STALLED, waiting, RECOVERY_STALLS_AFTER) and waiting:
            words = f"what is due has waited for {waiting.total_seconds():.0f} s to be claimed"
            self.alert(Alert.RECOVERY_STALLED, "", words)

    def _begins(self, alert: Alert, waited: timedelta | None, limit: timedelta) -> bool:
        """Whether a stall begins now; one that has ended is resolved."""
        if waited is not None and waited >= limit:
            is_new = alert not in self.active
            self.active.add(alert)
            return is_new
        if alert in self.active:
            self.active.remove(alert)
            self.on_resolved(alert)
        return False
