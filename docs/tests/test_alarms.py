"""The operator's page lists every log event at level error, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    ast.parse(path.read_text())
    for service in ("chassis", "customer", "payment")
    for path in sorted((ROOT / service / "src" / service).rglob("*.py"))
]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


def test_the_table_of_alarms_has_every_event_at_level_error() -> None:
    table = PAGE.split("**Alarms.**")[1].split("\n\nNo alarm")[0]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert sorted(named) == sorted(events_at_level_error())


def events_at_level_error() -> set[str]:
    """The event names in the code: arguments of `log.error`, or of a function that passes its first
    argument on to it.
    """
    loggers: set[str] = set()
    while new := {name for source in SOURCES for name in functions_of(source, loggers)} - loggers:
        loggers |= new
    events = (call.args[0] for source in SOURCES for call in calls_of(source, loggers))
    return {str(event.value) for event in events if isinstance(event, ast.Constant)}


def functions_of(source: ast.AST, loggers: set[str]) -> Iterator[str]:
    """Functions that log the event that is their first argument."""
    for function in ast.walk(source):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            parameters = [each.arg for each in function.args.args if each.arg != "self"]
            for call in calls_of(function, loggers):
                if isinstance(call.args[0], ast.Name) and call.args[0].id in parameters[:1]:
                    yield function.name


def calls_of(source: ast.AST, loggers: set[str]) -> Iterator[ast.Call]:
    for call in ast.walk(source):
        if isinstance(call, ast.Call) and call.args:
            function = ast.unparse(call.func)
            if function == "log.error" or function.rpartition(".")[2] in loggers:
                yield call
