"""`cli/environment.sh` where it fails: one sentence, exit code 1, and no incomplete environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from oncepay_cli.local.paths import REPOSITORY


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the script and its inputs, in a folder with a space in its name."""
    root = tmp_path / "a copy"
    for path in ("VERSION", "cli/environment.sh", "requirements/uv.txt", "requirements/run.txt"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / path, root / path)
    for package in ("protobuf", "chassis", "customer", "payment", "sandbox", "cli"):
        (root / package / "src").mkdir(parents=True, exist_ok=True)
        (root / package / "src" / "pyproject.toml").write_text("")
    return root


def make_environment(root: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "cli/environment.sh", python, "run"],
        cwd=root,
        env={"PATH": os.environ["PATH"]},
        text=True,
        capture_output=True,
        check=False,
    )


def test_an_old_python_is_rejected_with_its_version(copy: Path) -> None:
    old = copy / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    result = make_environment(copy, str(old))
    assert result.returncode == 1
    assert result.stderr.startswith("Python 3.9.2 is too old: Oncepay needs Python 3.11 or newer.")
    assert not (copy / ".oncepay").exists()


def test_a_missing_python_is_named_with_what_to_install(copy: Path) -> None:
    result = make_environment(copy, "no-such-python")
    assert result.returncode == 1
    assert result.stderr.startswith("no-such-python was not found.")
    assert "apt install make python3 python3-venv" in result.stderr


def test_a_folder_that_is_not_writable_is_named(copy: Path) -> None:
    (copy / ".oncepay").write_text("")  # a file: root, too, cannot create folders in it
    result = make_environment(copy, "python3")
    assert result.returncode == 1
    assert (
        f"{copy}/.oncepay, the folder of the environment and the data, is not writable"
        in result.stderr
    )


def test_a_python_without_venv_is_named_with_what_to_install_and_nothing_is_left(
    copy: Path,
) -> None:
    without_venv = copy / "python3"
    without_venv.write_text('#!/bin/sh\n[ "$2" = venv ] && exit 1\nexec python3 "$@"\n')
    without_venv.chmod(0o755)
    result = make_environment(copy, str(without_venv))
    assert result.returncode == 1
    assert "apt install python3-venv" in result.stderr
    assert not (copy / ".oncepay" / "environment").exists()
