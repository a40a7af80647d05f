"""The README's commands and output, checked against the real ones."""

import os
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from oncepay_cli.application import app

if TYPE_CHECKING:
    from cli.tests.conftest import Home, Running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CALLS = [
    call
    for block in BLOCKS
    for call in re.findall(
        r"^(?:oncepay|buf curl) (?:'[^']*'|\\\n|[^'\n\\])*$", block, re.MULTILINE
    )
]
COMMANDS = [call for call in CALLS if call.startswith("oncepay ")]


def test_the_readme_has_commands_and_calls_to_check() -> None:
    assert len(COMMANDS) >= 3
    assert len(CALLS) >= len(COMMANDS) + 2


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_readme_parses(line: str) -> None:
    command = typer.main.get_command(app)
    arguments = shlex.split(line.replace("\\\n", ""))[1:]
    while isinstance(command, TyperGroup):
        name = arguments.pop(0)
        assert name in command.commands, f"there is no {name}"
        command = command.commands[name]
    assert isinstance(command, TyperCommand)
    command.make_context(line, arguments)  # raises the error that it would print


def test_up_prints_what_the_readme_shows(running: "Running") -> None:
    printed = [_without_numbers(line) for line in _visible(running.up.output).splitlines()]
    (shown,) = [block for block in BLOCKS if "First payment" in block]
    for line in shown.splitlines():
        assert _without_numbers(line) in printed


def test_the_calls_of_the_readme_work(oncepay: "Home") -> None:
    names: dict[str, str] = {}
    payments = []
    for line in CALLS:
        result = _run(_with_names(line, names), oncepay)
        assert result.returncode == 0, f"{line}\n{result.stderr}"
        names |= {
            name.split("/")[0]: name for name in re.findall(r"\w+/[0-9a-f-]{36}", result.stdout)
        }
        assert result.stdout.strip()
        payments += [names["payments"]] if "payments" in names else []
    *succeeded, secured = [
        _run(f"oncepay payments events {name}", oncepay).stdout for name in dict.fromkeys(payments)
    ]
    assert len(succeeded) == 2
    assert all("payment.succeeded" in events for events in succeeded)
    assert "payment.requires_action" in secured


def _with_names(line: str, names: dict[str, str]) -> str:
    """The line with the resource names of earlier lines in place of `customers/…`."""
    return re.sub(r"(\w+)/…", lambda found: names[found[1]], line)


def _run(line: str, home: "Home") -> "subprocess.CompletedProcess[str]":
    for standard, name in (("50051", "customer"), ("50052", "payment")):
        line = line.replace(f":{standard}/", f":{home.ports[name]}/")
    here = {"PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", line],
        env=home.environment | here,
        text=True,
        capture_output=True,
        check=False,
    )


def _visible(output: str) -> str:
    """The text of a terminal's output, without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r", "\n")


def _without_numbers(line: str) -> str:
    """A line without what differs between runs: times, ids and ports."""
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|pi_\w+|[0-9]+", "0", line)
    return re.sub(r" +", " ", re.sub(r" 0\.0 s$", "", line.rstrip()))
