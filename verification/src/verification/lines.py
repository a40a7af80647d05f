"""`make lines`: the size of the code, package by package, in lines of code and in files.

A line of code is one that holds a token: blank lines, comments and docstrings do not count. A string
over several lines, such as an SQL statement, counts with every line. Standard library only, so that it
runs before there is an environment.
"""

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("chassis", "customer", "payment")
"""What one reads to follow a payment, except for what is counted apart."""
APART = {"reconciliation": "reconciliation", "rebinding": "rebinding", "memory": "in-memory fakes"}
"""What of the product is counted apart, by the name of its package or of its module."""
OTHERS = ("sandbox", "cli", "verification", "edge", "console")
"""What is there of these is counted after the product."""
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(text: str) -> int:
    """How many lines of a module hold code."""
    docstrings = set[int]()
    for node in ast.walk(ast.parse(text)):
        for statement in node.body if hasattr(node, "body") and isinstance(node.body, list) else []:
            match statement:
                case ast.Expr(ast.Constant(str()), lineno=first, end_lineno=int(last)):
                    docstrings.update(range(first, last + 1))
    code = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def product_group(module: PurePath) -> str:
    """Where a module of the product is counted; `module` is its path below `src`, payment/domain/x.py."""
    for name in (*module.parent.parts, module.stem):
        if name in APART:
            return APART[name]
    return sub_package(module) if module.parts[0] == "payment" else module.parts[0]


def sub_package(module: PurePath) -> str:
    """`payment/domain` of payment/domain/x.py, and `payment` of payment/x.py."""
    return "/".join(module.parts[: min(len(module.parts) - 1, 2)])


class Size(Counter[str]):
    """Lines of code by group; `files` counts the same groups in files."""

    def __init__(self) -> None:
        super().__init__()
        self.files = Counter[str]()

    def add(self, group: str, file: Path) -> None:
        self[group] += code_lines(file.read_text(encoding="utf-8"))
        self.files[group] += 1

    def rows(self, total: str) -> Iterator[str]:
        """A line for each group in alphabetical order, and their sum."""
        for group in sorted(self):
            yield row(self[group], self.files[group], group)
        yield row(self.total(), self.files.total(), total)


def row(lines: int, files: int, group: str) -> str:
    return f"{lines:7,} {files:5}  {group}"


def modules(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def product_sizes(root: Path) -> tuple[Size, Size]:
    """The product, and what of it is counted apart."""
    read, apart = Size(), Size()
    for package in PRODUCT:
        for file in modules(root / package / "src"):
            group = product_group(file.relative_to(root / package / "src"))
            (apart if group in APART.values() else read).add(group, file)
    return read, apart


def other_sizes(root: Path) -> tuple[Size, Size]:
    """The packages around the product, and all tests."""
    around, tests = Size(), Size()
    for package in OTHERS:
        for file in modules(root / package / "src"):
            module = file.relative_to(root / package / "src")
            around.add(sub_package(module) if package == "verification" else package, file)
    for package in (*PRODUCT, *OTHERS):
        for file in modules(root / package / "tests"):
            tests.add(f"{package}/tests", file)
    return around, tests


def report(root: Path) -> str:
    """The whole table."""
    read, apart = product_sizes(root)
    around, tests = other_sizes(root)
    parts = [
        ["  lines files"],
        read.rows("read to follow a payment"),
        apart.rows("apart from that"),
        around.rows("around the product"),
        tests.rows("tests"),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(report(ROOT))
