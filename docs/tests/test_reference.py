"""The reference lists every log event of the services, with its level, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text()
SOURCES = [
    ast.parse(path.read_text())
    for service in ("chassis", "customer", "payment")
    for path in sorted((ROOT / service / "src" / service).rglob("*.py"))
]
LOGGERS = {"log.info": "info", "log.warning": "warning", "self._refusals.add": "warning"}
"""What logs the event that is its first argument; errors are in test_alerts."""


def logged() -> Iterator[tuple[str, str]]:
    """Level and event of each line of code that logs."""
    for source in SOURCES:
        for node in ast.walk(source):
            if isinstance(node, ast.Call) and (level := LOGGERS.get(ast.unparse(node.func))):
                event = node.args[0]
                if isinstance(event, ast.Constant):
                    yield level, str(event.value)


@pytest.mark.parametrize("level", ["warning", "info"])
def test_the_reference_lists_the_events_of_a_level(level: str) -> None:
    section = re.split(r"^(?:Level|## )", PAGE.split(f"Level `{level}`")[1], flags=re.MULTILINE)[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert listed == sorted(listed)
    assert set(listed) == {event for at, event in logged() if at == level}


def test_every_name_of_the_health_service_is_listed() -> None:
    served = set(
        re.findall(r'"(liveness|readiness)"', (ROOT / "chassis/src/chassis/server.py").read_text())
    )
    assert served == set(re.findall(r"`(liveness|readiness)`", PAGE))
