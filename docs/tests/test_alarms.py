"""The page for operators names every event that wakes a person, and no other."""

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

    assert sorted(named) == sorted(told_at_level_error())


def told_at_level_error() -> set[str]:
    """The events that the code names, to `log.error` or to what hands on its first argument to that."""
    tellers: set[str] = set()
    while new := {name for source in SOURCES for name in handing_on(source, tellers)} - tellers:
        tellers |= new
    said = (call.args[0] for source in SOURCES for call in telling(source, tellers))
    return {str(each.value) for each in said if isinstance(each, ast.Constant)}


def handing_on(source: ast.AST, tellers: set[str]) -> Iterator[str]:
    """Functions that tell an event whose name they are given first."""
    for function in ast.walk(source):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [each.arg for each in function.args.args if each.arg != "self"]
            for call in telling(function, tellers):
                if isinstance(call.args[0], ast.Name) and call.args[0].id in given[:1]:
                    yield function.name


def telling(source: ast.AST, tellers: set[str]) -> Iterator[ast.Call]:
    for call in ast.walk(source):
        if isinstance(call, ast.Call) and call.args:
            said = ast.unparse(call.func)
            if said == "log.error" or said.rpartition(".")[2] in tellers:
                yield call
