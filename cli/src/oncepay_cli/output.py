"""What the command shows: on a terminal with colour and movement, elsewhere as plain lines."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from rich.console import Console, RenderableType
from rich.markup import escape

# A pipe or a file has no width; lines there are read by programs, and are not broken.
PLAIN_WIDTH = 1_000


class Step:
    """A step under way.

    Attributes:
        done: what to say once it is done.
    """

    def __init__(self, doing: str) -> None:
        self.done = doing


class Output:
    """Standard output; or standard error, where the output is a command's own.

    Attributes:
        console: rich's; it leaves colour out where the output is no terminal.
    """

    def __init__(self, *, on_errors: bool = False) -> None:
        stream = sys.stderr if on_errors else sys.stdout
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick
        width = None if stream.isatty() else PLAIN_WIDTH
        self.console = Console(highlight=False, width=width, stderr=on_errors)

    @property
    def is_plain(self) -> bool:
        return not self.console.is_terminal

    @contextmanager
    def step(self, doing: str) -> Iterator[Step]:
        """One step of something longer: a spinner while it lasts, a line with its time after."""
        step = Step(doing)
        begin = time.monotonic()
        with self.console.status(f"[dim]{escape(doing)}[/]", spinner="dots"):
            yield step
        seconds = time.monotonic() - begin
        self.print_line(f"[green]{self.tick}[/] {escape(step.done)} [dim]{seconds:.1f} s[/]")

    @property
    def tick(self) -> str:
        return "✓" if (self.console.encoding or "").startswith("utf") else "ok"

    def print_line(self, line: str) -> None:
        """A line, in rich's markup; a long one is left to the terminal to fold."""
        self.console.print(line, soft_wrap=True)

    def print_plain(self, line: str) -> None:
        """A line as it is: nothing in it is markup, and a tab stays one where programs read."""
        if self.is_plain:
            self.console.file.write(line + "\n")
        else:
            self.console.print(line, markup=False, soft_wrap=True)

    def print(self, picture: RenderableType) -> None:
        self.console.print(picture)
