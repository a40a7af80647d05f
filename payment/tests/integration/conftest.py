"""What all integration tests share: long time limits, and short logs."""

from collections.abc import Iterator

import pytest
import structlog

from chassis import database
from chassis.telemetry import log
from payment.api import background_tasks
from payment.customers import client

LONG_SECONDS = 300


@pytest.fixture(autouse=True)
def _patient_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about the service's own limits on its database and on the Customer service."""
    for name in ("CONNECT_SECONDS", "COMMAND_SECONDS", "ACQUIRE_SECONDS"):
        monkeypatch.setattr(database, name, LONG_SECONDS)
    monkeypatch.setattr(database, "LIMITS", dict.fromkeys(database.LIMITS, f"{LONG_SECONDS}s"))
    monkeypatch.setattr(client, "SECONDS", LONG_SECONDS)


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
