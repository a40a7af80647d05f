"""What all integration tests share: long time limits, and short logs."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from support.running_service import RunningService, running_service
from support.waiting import LONG_SECONDS

from chassis import database, interceptor
from chassis.telemetry import log
from payment.api import background_tasks, webhooks
from payment.customers import client
from payment.service_layer import recovery


@pytest.fixture(autouse=True)
def _patient_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about the service's own limits on a call, a webhook, its database and the Customer
    service.
    """
    for name in ("CONNECT_SECONDS", "COMMAND_SECONDS", "ACQUIRE_SECONDS"):
        monkeypatch.setattr(database, name, LONG_SECONDS)
    monkeypatch.setattr(database, "LIMITS", dict.fromkeys(database.LIMITS, f"{LONG_SECONDS}s"))
    for name in ("DEFAULT_CALL_SECONDS", "MAX_CALL_SECONDS"):
        monkeypatch.setattr(interceptor, name, LONG_SECONDS)
    monkeypatch.setattr(client, "SECONDS", LONG_SECONDS)
    monkeypatch.setattr(webhooks, "REQUEST_SECONDS", LONG_SECONDS)


@pytest.fixture
def answers_callers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers get the payment as soon as it is recorded, not shortly before their deadline."""
    monkeypatch.setattr(background_tasks, "REPLY_SECONDS", LONG_SECONDS)


@pytest.fixture(autouse=True)
def _short_logs() -> Iterator[None]:
    """One line an event: drawing a traceback for people takes a second."""
    structlog.configure(processors=[structlog.processors.JSONRenderer(default=repr)])
    yield
    structlog.reset_defaults()
    vars(log).pop("bind", None)  # what it cached where a test configured the logs of a process


@pytest.fixture
def frequent_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery claims what is due almost at once, not after a second."""
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(recovery, "WAKE_DEBOUNCE_SECONDS", 0.0)


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[RunningService]:
    """The running service, on an empty database."""
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path) as running:
        yield running
