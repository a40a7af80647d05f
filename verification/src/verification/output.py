"""What the tools print and write: lines at once, and figures as JSON."""

import json
import sys
from pathlib import Path


def write_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write_figures(path: Path | None, figures: object) -> None:
    """Write figures for `verification.reliability`, where a file was asked for."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
