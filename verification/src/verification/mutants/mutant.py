"""What a mutant is: a name, the mistake in words, the edits that make it, and who has to notice."""

from dataclasses import dataclass
from pathlib import Path


class Stale(Exception):
    """The code that a mutant changes is not there any more: change the mutant with it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In this file of the package `payment`, `after` in the place of `before`, which is there once."""

    path: str
    before: str
    after: str

    def make(self, package: Path) -> None:
        """Change the file. Raises Stale."""
        file = package / self.path
        text = file.read_text()
        if text.count(self.before) != 1:
            raise Stale(f"{self.path} holds {text.count(self.before)} times:\n{self.before}")
        file.write_text(text.replace(self.before, self.after))


@dataclass(frozen=True, slots=True)
class Mutant:
    """`scenarios`: those of the explorer of which one at least must be broken; none: the simulator
    has to notice.
    """

    mistake: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...] = ()
