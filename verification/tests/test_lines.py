"""`make lines` counts code, each module once, in the group that a reader looks for it in."""

from pathlib import Path, PurePath

import pytest

from verification.lines import (
    OTHERS,
    PRODUCT,
    ROOT,
    code_lines,
    modules,
    other_sizes,
    product_group,
    product_sizes,
    report,
)

MODULE = '''"""A module.

Its docstring has three lines.
"""

# A comment.
STATEMENT = """
SELECT 1

  FROM dual
"""  # a string over five lines is code


def first(
    argument: int,
) -> int:
    """A docstring."""
    return (  # a call over three lines

        argument
    )
'''


def test_blank_lines_comments_and_docstrings_do_not_count_and_strings_do() -> None:
    assert code_lines(MODULE) == 5 + 3 + 3
    assert code_lines("") == 0
    assert code_lines('"""Only a docstring."""\n') == 0


@pytest.mark.parametrize(
    ("module", "group"),
    [
        ("chassis/aip/pages.py", "chassis"),
        ("customer/domain/customer.py", "customer"),
        ("payment/domain/machine.py", "payment/domain"),
        ("payment/processors/stripe/adapter.py", "payment/processors"),
        ("payment/settings.py", "payment"),
        ("payment/reconciliation/memory.py", "reconciliation"),
        ("chassis/rebinding.py", "rebinding"),
        ("payment/repository/memory.py", "in-memory fakes"),
        ("customer/repository/memory/customers.py", "in-memory fakes"),
    ],
)
def test_a_module_of_the_product_is_counted_where_a_reader_looks_for_it(
    module: str, group: str
) -> None:
    assert product_group(PurePath(module)) == group


def test_every_module_of_the_repository_is_counted_once() -> None:
    counted = [*product_sizes(ROOT), *other_sizes(ROOT)]
    there = [
        file
        for package in (*PRODUCT, *OTHERS)
        for folder in ("src", "tests")
        for file in modules(ROOT / package / folder)
    ]
    assert sum(size.files.total() for size in counted) == len(there)
    assert sum(size.total() for size in counted) == sum(
        code_lines(file.read_text(encoding="utf-8")) for file in there
    )


def test_the_sum_to_read_leaves_out_what_is_counted_apart(tmp_path: Path) -> None:
    for name in ("domain/payment.py", "repository/memory.py", "rebinding.py"):
        file = tmp_path / "payment" / "src" / "payment" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a = 1\n")
    shown = report(tmp_path)
    assert "      1     1  read to follow a payment" in shown
    assert "      2     2  apart from that" in shown
