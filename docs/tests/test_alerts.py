"""The operator's page lists every log event at level error, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from payment.service_layer.alerts import Alert

ROOT = Path(__file__).parents[2]
SOURCES = [
    ast.parse(path.read_text())
    for service in ("chassis", "customer", "payment")
    for path in sorted((ROOT / service / "src" / service).rglob("*.py"))
]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
LOGS_ITS_ARGUMENT = {"log.error(alert.value, about=about, reason=words)"}
"""Calls of `log.error` whose event is no literal: an alert is logged by its own name."""


def test_the_table_of_alerts_has_every_event_at_level_error() -> None:
    table = PAGE.split("**Alerts.**")[1].split("\n\nNo alert")[0]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert sorted(named) == sorted({alert.value for alert in Alert} | set(logged_literals()))


def test_an_event_at_level_error_is_a_literal_or_an_alert() -> None:
    """Otherwise the test above could not read its name."""
    others = {ast.unparse(call) for call in error_calls() if not isinstance(event_of(call), str)}

    assert others == LOGS_ITS_ARGUMENT


def logged_literals() -> Iterator[str]:
    """The events that the code names in a call of `log.error`."""
    for call in error_calls():
        event = event_of(call)
        if isinstance(event, str):
            yield event


def error_calls() -> Iterator[ast.Call]:
    for source in SOURCES:
        for node in ast.walk(source):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "log.error":
                yield node


def event_of(call: ast.Call) -> object:
    """The event of a call, where it is a literal."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) else None
