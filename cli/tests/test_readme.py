"""The README's words, held to what the commands do."""

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
    from cli.tests.conftest import Home

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
OURS = [call for call in CALLS if call.startswith("oncepay ")]


def test_the_blocks_are_found() -> None:
    assert len(OURS) >= 3
    assert len(CALLS) >= len(OURS) + 2


@pytest.mark.parametrize("line", OURS)
def test_a_command_in_the_readme_has_these_options(line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line.replace("\\\n", ""))[1:]
    while isinstance(command, TyperGroup):
        name = words.pop(0)
        assert name in command.commands, f"there is no {name}"
        command = command.commands[name]
    assert isinstance(command, TyperCommand)
    command.make_context(line, words)  # parses them, and raises what it would tell a person


def test_make_run_says_what_the_readme_shows_and_its_calls_work(home: "Home") -> None:
    up = home.up(terminal=True)
    up.wait()
    said = [_without_figures(line) for line in _as_shown(up.said).splitlines()]
    (shown,) = [block for block in BLOCKS if "First payment" in block]
    for line in shown.splitlines():
        assert _without_figures(line) in said

    names: dict[str, str] = {}
    payments = []
    for line in CALLS:
        done = _run(_with_names(line, names), home)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        names |= {
            name.split("/")[0]: name for name in re.findall(r"\w+/[0-9a-f-]{36}", done.stdout)
        }
        assert done.stdout.strip()
        payments += [names["payments"]] if "payments" in names else []
    *succeeded, secured = [
        _run(f"oncepay payments events {name}", home).stdout for name in dict.fromkeys(payments)
    ]
    assert len(succeeded) == 2
    assert all("payment.succeeded" in told for told in succeeded)
    assert "payment.requires_action" in secured
    up.end()


def _with_names(line: str, names: dict[str, str]) -> str:
    """A line whose `customers/…` is the customer that an earlier line made."""
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


def _as_shown(said: str) -> str:
    """What a terminal shows at last: without colours, and without what moves and is gone."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "\n")


def _without_figures(line: str) -> str:
    """A line without what differs from run to run: times, ids and ports."""
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|pi_\w+|[0-9]+", "0", line)
    return re.sub(r" +", " ", re.sub(r" 0\.0 s$", "", line.rstrip()))
