"""What holds for the code and the migrations as a whole."""

import ast
import sys
from pathlib import Path

import pytest

import customer
from customer.repository.postgresql import SCHEMA_VERSION

PACKAGE = Path(customer.__file__).parent
MIGRATIONS = Path(__file__).parents[2] / "migrations"
DOMAIN = sorted((PACKAGE / "domain").glob("*.py"))

# The one argued exception: what an email address looks like.
ALLOWED = {"chassis.values", "customer.domain", "email_validator"}


@pytest.mark.parametrize("module", DOMAIN, ids=lambda path: path.stem)
def test_the_domain_imports_the_standard_library_only(module: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides what it imports"
            imported.add(node.module or "")
    foreign = {
        name
        for name in imported
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == each or name.startswith(f"{each}.") for each in ALLOWED)
    }
    assert not foreign


def test_migrations_are_numbered_from_1_without_gaps_or_doubles() -> None:
    """dbmate passes over a second file of a number in silence."""
    numbers = sorted(path.name.split("_")[0] for path in MIGRATIONS.glob("*.sql"))
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_the_code_needs_the_newest_migration() -> None:
    assert max(path.name for path in MIGRATIONS.glob("*.sql")).startswith(f"{SCHEMA_VERSION}_")


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.stem)
def test_migrations_wait_for_no_lock_for_long_and_only_go_forward(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- migrate:up\n")
    assert "\nSET LOCAL lock_timeout" in text
    assert "\nSET LOCAL statement_timeout" in text
    assert text.endswith("\n-- migrate:down\n"), "nothing below it: there is no way back"
