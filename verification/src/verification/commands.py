"""Programs that are run to their end: Compose, kubectl, git."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from oncepay_cli.local.paths import REPOSITORY

COMMAND_SECONDS = 900.0
"""A bound, not an expectation: images are pulled and built on a busy machine."""
MAX_OUTPUT = 4_000
"""How many characters of a failed program's output are kept, from its end."""


class CommandFailed(Exception):
    """A program failed; the message is its own."""


def run(
    *command: str,
    folder: Path = REPOSITORY,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    seconds: float = COMMAND_SECONDS,
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end.

    Raises:
        CommandFailed: it is not installed, it failed, or it took too long; with its output.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{shlex.join(command)}: {error}") from error
    if done.returncode:
        output = f"{done.stdout}{done.stderr}".strip()[-MAX_OUTPUT:]
        raise CommandFailed(f"{shlex.join(command)}: {output}")
    return done
