"""Conventions of the code and the migrations of both services."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("customer", "payment")
MIGRATIONS = {
    service: sorted((ROOT / service / "migrations").glob("*.sql")) for service in SERVICES
}
ALL_MIGRATIONS = [path for paths in MIGRATIONS.values() for path in paths]
MODULES = [
    (service, path)
    for service in SERVICES
    for path in sorted((ROOT / service / "src" / service / "domain").glob("*.py"))
]
# Beside itself and the standard library; the one argued exception is the syntax of an email address.
SHARED = {"chassis.values", "chassis.aip.resources"}
ALLOWED = {"customer": SHARED | {"email_validator"}, "payment": SHARED}


@pytest.mark.parametrize(
    ("service", "module"), MODULES, ids=[f"{service} {path.stem}" for service, path in MODULES]
)
def test_a_domain_imports_the_standard_library_only(service: str, module: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides what it imports"
            imported.add(node.module or "")
    allowed = ALLOWED[service] | {f"{service}.domain"}
    foreign = {
        name
        for name in imported
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == each or name.startswith(f"{each}.") for each in allowed)
    }
    assert not foreign


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_from_1_without_gaps_or_duplicates(service: str) -> None:
    """dbmate silently ignores a second file of a number."""
    numbers = sorted(path.name.split("_")[0] for path in MIGRATIONS[service])
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("service", SERVICES)
def test_the_code_requires_the_newest_migration(service: str) -> None:
    repository = importlib.import_module(f"{service}.repository.postgresql")
    assert MIGRATIONS[service][-1].name.startswith(f"{repository.SCHEMA_VERSION}_")


@pytest.mark.parametrize("path", ALL_MIGRATIONS, ids=lambda path: f"{path.parts[-3]} {path.stem}")
def test_migrations_bound_their_locks_and_statements_and_have_no_way_back(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- migrate:up\n")
    assert "\nSET LOCAL lock_timeout" in text
    assert "\nSET LOCAL statement_timeout" in text
    assert text.endswith("\n-- migrate:down\n"), "nothing below it: a migration is never reverted"
