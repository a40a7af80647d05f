"""What the unit tests need: the service, its chassis and its contract, and nothing else of this repository."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
UNIT_TESTS = sorted(Path(__file__).parent.glob("*.py"))
ALLOWED = {"chassis", "oncepay", "payment", "support"}
OF_THIS_REPOSITORY = ALLOWED | {"customer", "oncepay_cli", "sandbox", "verification"}


@pytest.mark.parametrize("test", UNIT_TESTS, ids=lambda path: path.stem)
def test_a_unit_test_runs_without_the_sandbox_the_verification_and_the_command_line(
    test: Path,
) -> None:
    """Tests that need a simulated processor are in `use_cases`, those of processes in `integration`."""
    assert imported_packages(test) & OF_THIS_REPOSITORY <= ALLOWED


def test_a_use_case_test_would_be_found_to_need_more() -> None:
    world = TESTS / "support" / "use_case_world.py"
    assert {"sandbox", "verification"} <= imported_packages(world)


def imported_packages(file: Path) -> set[str]:
    """The packages that a file imports, itself or by the modules of `support` that it imports."""
    packages, files, pending = set[str](), set[Path](), [file]
    while pending:
        current = pending.pop()
        if current in files:
            continue
        files.add(current)
        for module in imported_modules(ast.parse(current.read_text())):
            packages.add(module.partition(".")[0])
            if module.startswith("support."):
                pending.append(TESTS / f"{module.replace('.', '/')}.py")
    return packages


def imported_modules(source: ast.AST) -> Iterator[str]:
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and node.level == 0, "an absolute import can be followed"
            yield node.module
