"""Looks, beside all other work, whether the work that goes on by itself does: the stream of events,
and recovery. Every replica looks, and tells by itself.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from payment.service_layer.ports import Alarms, ProgressReader

LOOK_SECONDS = 10.0
"""The pause between two looks."""
STALLED_AFTER = timedelta(seconds=30)
"""How long an event may wait for the transactions before it. Ours end within 10 s, by their limits:
what holds the stream longer is somebody else's, or waits for a standby that is gone.
"""
UNCLAIMED_AFTER = timedelta(minutes=2)
"""How long what is due may wait for recovery, which looks every second."""


@dataclass(frozen=True, slots=True)
class StallAlerts:
    """Raises an alarm when something stands still, once; and says when it goes on."""

    signs: ProgressReader
    alarm: Alarms
    over: Callable[[str], None]
    on_unexpected_error: Callable[[Exception], None]
    standing: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 (the database is away: look again later)
                self.on_unexpected_error(error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look at all there is to see."""
        hidden = await self.signs.oldest_hidden_event()
        if hidden is None or hidden < STALLED_AFTER:
            self._goes_on("events_stalled")
        elif self._is_news("events_stalled"):
            holders = "; ".join(await self.signs.holders_of_the_stream())
            who = holders or "nobody that our role may see"
            self.alarm("events_stalled", "", f"for {hidden.total_seconds():.0f} s, by {who}")
        waiting = await self.signs.longest_due()
        if waiting is None or waiting < UNCLAIMED_AFTER:
            self._goes_on("recovery_stalled")
        elif self._is_news("recovery_stalled"):
            words = f"what is due has waited for {waiting.total_seconds():.0f} s to be taken up"
            self.alarm("recovery_stalled", "", words)

    def _is_news(self, name: str) -> bool:
        is_news = name not in self.standing
        self.standing.add(name)
        return is_news

    def _goes_on(self, name: str) -> None:
        if name in self.standing:
            self.standing.remove(name)
            self.over(name)
