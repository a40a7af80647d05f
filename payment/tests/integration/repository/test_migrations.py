"""What holds for the migrations as files: dbmate lets much through."""

from pathlib import Path

import pytest

from payment.repository.postgresql import SCHEMA_VERSION

MIGRATIONS = sorted((Path(__file__).parents[3] / "migrations").glob("*.sql"))


def test_migrations_are_numbered_from_1_without_gaps_or_doubles() -> None:
    """dbmate passes over a second file of a number in silence."""
    numbers = [path.name.split("_")[0] for path in MIGRATIONS]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_the_code_needs_the_newest_migration() -> None:
    assert MIGRATIONS[-1].name.startswith(f"{SCHEMA_VERSION}_")


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_migrations_wait_for_no_lock_for_long_and_only_go_forward(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- migrate:up\n")
    assert "\nSET LOCAL lock_timeout" in text
    assert "\nSET LOCAL statement_timeout" in text
    assert text.endswith("\n-- migrate:down\n"), "nothing below it: there is no way back"
