"""What stands still wakes a person, once; and its end is told."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from payment.service_layer import stall_alerts as module
from payment.service_layer.alerts import Alert
from payment.service_layer.stall_alerts import StallAlerts

SECOND = timedelta(seconds=1)


@dataclass
class SomeSigns:
    hidden: timedelta | None = None
    due: timedelta | None = None
    holders: list[str] = field(default_factory=list)
    is_away: bool = False

    async def oldest_hidden_event(self) -> timedelta | None:
        if self.is_away:
            raise ConnectionError
        return self.hidden

    async def stream_blockers(self) -> Sequence[str]:
        return self.holders

    async def longest_due(self) -> timedelta | None:
        return self.due


class Watched:
    """A stall_alerts, and what it told."""

    def __init__(self) -> None:
        self.told: list[tuple[Alert, str]] = []
        self.signs = SomeSigns()
        self.stall_alerts = StallAlerts(
            self.signs,
            self._raise,
            lambda alert: self.told.append((alert, "over")),
            lambda _error: None,
        )

    def _raise(self, alert: Alert, about: str, words: str) -> None:  # noqa: ARG002 - the port's names
        self.told.append((alert, words))


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_while_all_goes_on_nothing_is_told(watched: Watched) -> None:
    await watched.stall_alerts.check()
    watched.signs.hidden, watched.signs.due = 29 * SECOND, 119 * SECOND
    await watched.stall_alerts.check()
    watched.signs.due = -3600 * SECOND
    await watched.stall_alerts.check()
    assert watched.told == []


async def test_a_stream_that_stands_still_is_told_once_with_who_holds_it_and_so_is_its_end(
    watched: Watched,
) -> None:
    watched.signs.hidden, watched.signs.holders = 31 * SECOND, ["process 7", "process 8"]
    for _ in range(3):
        await watched.stall_alerts.check()
        watched.signs.hidden += 10 * SECOND
    watched.signs.hidden = None
    for _ in range(2):
        await watched.stall_alerts.check()
    watched.signs.hidden, watched.signs.holders = 40 * SECOND, []
    await watched.stall_alerts.check()
    assert watched.told == [
        (Alert.EVENTS_STALLED, "for 31 s, by process 7; process 8"),
        (Alert.EVENTS_STALLED, "over"),
        (Alert.EVENTS_STALLED, "for 40 s, by nobody that our role may see"),
    ]


async def test_a_recovery_that_takes_nothing_up_is_told_once_and_so_is_its_end(
    watched: Watched,
) -> None:
    watched.signs.due = 121 * SECOND
    for _ in range(2):
        await watched.stall_alerts.check()
    watched.signs.due = SECOND
    await watched.stall_alerts.check()
    assert watched.told == [
        (Alert.RECOVERY_STALLED, "what is due has waited for 121 s to be claimed"),
        (Alert.RECOVERY_STALLED, "over"),
    ]


async def test_a_database_that_is_away_does_not_end_the_looking(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    watched.signs.is_away = True
    away = asyncio.Event()
    told = asyncio.Event()
    watched.stall_alerts = replace(
        watched.stall_alerts,
        on_unexpected_error=lambda _error: away.set(),
        alert=lambda *_, **__: told.set(),
    )
    looking = asyncio.create_task(watched.stall_alerts.run())
    async with asyncio.timeout(10):
        await away.wait()
        watched.signs.is_away, watched.signs.due = False, 200 * SECOND
        await told.wait()
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
