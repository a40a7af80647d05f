"""Console output: coloured and animated on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from rich.console import Console, RenderableType
from rich.markup import escape

# A pipe or a file has no width: programs read its lines, so they are not wrapped.
PLAIN_WIDTH = 1_000


class Step:
    """A step in progress.

    Attributes:
        done: the text to print once it is done.
    """

    def __init__(self, doing: str) -> None:
        self.done = doing


class Output:
    """Standard output, or standard error where standard output is a command's result.

    Attributes:
        console: rich's; without colour where the stream is not a terminal.
    """

    def __init__(self, *, on_errors: bool = False) -> None:
        stream = sys.stderr if on_errors else sys.stdout
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals without the tick's encoding
        width = None if stream.isatty() else PLAIN_WIDTH
        self.console = Console(highlight=False, width=width, stderr=on_errors)

    @property
    def is_plain(self) -> bool:
        return not self.console.is_terminal

    @contextmanager
    def step(self, doing: str) -> Iterator[Step]:
        """Show a spinner while the block runs, then a line with its duration."""
        step = Step(doing)
        started = time.monotonic()
        with self.console.status(f"[dim]{escape(doing)}[/]", spinner="dots"):
            yield step
        seconds = time.monotonic() - started
        self.print_line(f"[green]{self.tick}[/] {escape(step.done)} [dim]{seconds:.1f} s[/]")

    @property
    def tick(self) -> str:
        return "✓" if (self.console.encoding or "").startswith("utf") else "ok"

    def print_line(self, line: str) -> None:
        """Print a line of rich's markup; the terminal wraps it."""
        self.console.print(line, soft_wrap=True)

    def print_plain(self, line: str) -> None:
        """Print a line unchanged: without markup, and with its tabs where a program reads."""
        if self.is_plain:
            self.console.file.write(line + "\n")
        else:
            self.console.print(line, markup=False, soft_wrap=True)

    def print(self, renderable: RenderableType) -> None:
        self.console.print(renderable)
