"""What a mutant is: a mistake in words, the edits that make it, the scenarios that must notice."""

import ast
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class Stale(Exception):
    """The code that a mutant changes is not there, or not once: change the mutant with the code."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Puts `after` in the place of `before`, in a file of the package `payment`.

    Both are Python as `ast.unparse` prints it: single quotes, one statement a line, no comments. So an
    edit does not depend on how the file is formatted. Several lines match whole lines, at any depth of
    indentation; one line may be a part of a line. `before` must be there exactly once.
    """

    path: str
    before: str
    after: str

    def apply(self, package: Path) -> None:
        """Change the file. Raises Stale."""
        file = package / self.path
        if not file.exists():
            raise Stale(f"there is no file {self.path}")
        text = ast.unparse(ast.parse(file.read_text()))
        before, after = lines_of(self.before), lines_of(self.after)
        pattern = re.escape(before[0])
        if len(before) > 1 or len(after) > 1:
            lines = "\n(?P=indent)".join(map(re.escape, before))
            pattern = f"^(?P<indent> *){lines}$"
        found = list(re.finditer(pattern, text, re.MULTILINE))
        if len(found) != 1:
            raise Stale(f"{self.path} holds {len(found)} times:\n{self.before}")
        indent = found[0].groupdict().get("indent", "")
        changed = "\n".join(f"{indent}{line}" for line in after)
        text = text[: found[0].start()] + changed + text[found[0].end() :]
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise Stale(f"{self.path} is no Python with\n{changed}") from error
        file.write_text(text)


def importing(path: str, module: str, name: str) -> Edit:
    """An edit that imports one more name from a module that the file imports from."""
    return Edit(path, f"from {module} import ", f"from {module} import {name}, ")


def lines_of(code: str) -> list[str]:
    """The lines of an edit, without their common indentation."""
    return textwrap.dedent(code).strip("\n").split("\n")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake. At least one of its scenarios must be violated; without scenarios the simulator must
    find a violation.
    """

    mistake: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...] = ()


def mutant(mistake: str, *edits: Edit, scenarios: Iterable[str] = ()) -> Mutant:
    """A mutant."""
    return Mutant(mistake, edits, tuple(scenarios))
