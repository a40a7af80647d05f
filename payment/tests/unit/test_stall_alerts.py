"""StallAlerts: an alert when the event stream or recovery stalls, once, and a log event at its end."""

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
class Progress:
    """What a database shows of the progress (the port `ProgressReader`).

    Attributes:
        hidden: how long the first event has waited that the stream cannot show.
        due: how long something due has waited to be claimed.
    """

    hidden: timedelta | None = None
    due: timedelta | None = None
    blockers: list[str] = field(default_factory=list)
    is_unavailable: bool = False

    async def oldest_hidden_event(self) -> timedelta | None:
        if self.is_unavailable:
            raise ConnectionError
        return self.hidden

    async def stream_blockers(self) -> Sequence[str]:
        return self.blockers

    async def longest_due(self) -> timedelta | None:
        return self.due


class Monitor:
    """StallAlerts on a progress that tests set. `reported`: each alert with its words or "resolved"."""

    def __init__(self) -> None:
        self.reported: list[tuple[Alert, str]] = []
        self.progress = Progress()
        self.stall_alerts = StallAlerts(
            self.progress,
            self._raise,
            lambda alert: self.reported.append((alert, "resolved")),
            lambda _error: None,
        )

    async def check(self) -> None:
        await self.stall_alerts.check()

    def _raise(self, alert: Alert, about: str, words: str) -> None:  # noqa: ARG002 (the port's)
        self.reported.append((alert, words))


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.mark.parametrize("due", [None, -3600 * SECOND, 119 * SECOND])
@pytest.mark.parametrize("hidden", [None, 29 * SECOND])
async def test_while_nothing_waits_too_long_no_alert_is_raised(
    monitor: Monitor, hidden: timedelta | None, due: timedelta | None
) -> None:
    monitor.progress.hidden, monitor.progress.due = hidden, due
    await monitor.check()
    assert monitor.reported == []


async def test_a_stalled_stream_raises_one_alert_that_names_what_blocks_it(
    monitor: Monitor,
) -> None:
    monitor.progress.blockers = ["process 7", "process 8"]
    for seconds in (31, 41, 51):
        monitor.progress.hidden = seconds * SECOND
        await monitor.check()
    assert monitor.reported == [(Alert.EVENTS_STALLED, "for 31 s, by process 7; process 8")]


async def test_a_stalled_stream_whose_blockers_cannot_be_seen_raises_an_alert_that_says_so(
    monitor: Monitor,
) -> None:
    monitor.progress.hidden = 40 * SECOND
    await monitor.check()
    words = "for 40 s, by nobody that our role may see"
    assert monitor.reported == [(Alert.EVENTS_STALLED, words)]


async def test_stalled_recovery_raises_one_alert(monitor: Monitor) -> None:
    for seconds in (121, 131):
        monitor.progress.due = seconds * SECOND
        await monitor.check()
    words = "what is due has waited for 121 s to be claimed"
    assert monitor.reported == [(Alert.RECOVERY_STALLED, words)]


async def test_the_end_of_a_stall_is_reported_once_and_the_next_stall_raises_a_new_alert(
    monitor: Monitor,
) -> None:
    for hidden, due in ((31, 121), (None, 1), (None, 1), (31, 121)):
        monitor.progress.hidden = None if hidden is None else hidden * SECOND
        monitor.progress.due = due * SECOND
        await monitor.check()
    both = [Alert.EVENTS_STALLED, Alert.RECOVERY_STALLED]
    assert [alert for alert, _ in monitor.reported] == both * 3
    assert [words == "resolved" for _, words in monitor.reported] == [
        *(False, False, True, True, False, False)
    ]


async def test_a_check_that_fails_is_reported_and_made_again(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    monitor.progress.is_unavailable, monitor.progress.due = True, 200 * SECOND
    failed, alerted = asyncio.Event(), asyncio.Event()
    stall_alerts = replace(
        monitor.stall_alerts,
        on_unexpected_error=lambda _error: failed.set(),
        alert=lambda *_, **__: alerted.set(),
    )
    running = asyncio.create_task(stall_alerts.run())
    await failed.wait()
    monitor.progress.is_unavailable = False
    await alerted.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
