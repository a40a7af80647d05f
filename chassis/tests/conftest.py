"""What all tests of the chassis need."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from chassis.telemetry import log


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Takes back what a test configured."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    vars(log).pop("bind", None)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
