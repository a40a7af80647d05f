"""The parts of `make newcomer`; the whole of it installs a Debian, and has a command of its own."""

import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from verification import newcomer
from verification.newcomer import PERSONS, Root, StepFailed

README = (newcomer.REPOSITORY / "README.md").read_text()


def can_change_its_root() -> bool:
    """Root of a container may not always mount."""
    inside = ["unshare", "--mount", "--pid", "--fork", "true"]
    return os.geteuid() == 0 and subprocess.run(inside, check=False).returncode == 0


def commands() -> str:
    """What runs on this machine."""
    found = ""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += file.read_text()
    return found


needs_namespaces = pytest.mark.skipif(
    not can_change_its_root(), reason="only root has namespaces of its own"
)


def test_what_is_installed_is_what_the_readme_says() -> None:
    assert newcomer.packages(README) == ["make", "python3", "python3-venv"]


def test_a_readme_that_names_nothing_to_install_is_refused() -> None:
    with pytest.raises(StepFailed, match="names no `apt install`"):
        newcomer.packages("# Oncepay\n")


def test_the_settings_of_a_machine_go_along_and_nothing_else() -> None:
    of_fetching = {"PIP_INDEX_URL": "x", "https_proxy": "x", "NO_PROXY": "x", "SSL_CERT_FILE": "x"}
    assert newcomer.carried(of_fetching | {"HOME": "/root", "STRIPE_TEST_KEY": "x"}) == of_fetching


def test_pips_settings_of_the_user_come_before_the_machines(tmp_path: Path) -> None:
    (tmp_path / "machine").write_text("[global]\nindex-url = of-all\ntimeout = 5\n")
    (tmp_path / "user").write_text("[global]\nindex-url = of%20one\n")
    files = [str(tmp_path / name) for name in ("machine", "none", "user")]
    merged = dict(newcomer.pip_settings(files)["global"])
    assert merged == {"index-url": "of%20one", "timeout": "5"}


def test_the_files_that_settings_name_go_along(tmp_path: Path) -> None:
    (certificate := tmp_path / "ca.crt").write_text("x")
    (tmp_path / "pip.conf").write_text(f"[global]\ncert = {certificate}\nfind-links = /no/such\n")
    pip = newcomer.pip_settings([str(tmp_path / "pip.conf")])
    assert newcomer.certificates({"SSL_CERT_DIR": str(tmp_path), "PIP_X": "y"}, pip) == {
        certificate
    }


def test_free_ports_are_chosen_where_the_usual_ones_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(newcomer, "PORTS", {"customer": port})
        options = newcomer.port_options()
        assert options.startswith('OPTIONS="--customer-port ')
        assert str(port) not in options
    assert newcomer.port_options() == ""


@needs_namespaces
def test_a_command_that_fails_says_what_it_printed_last(tmp_path: Path) -> None:
    root = Root(tmp_path / "no-root", tmp_path / "log")
    with pytest.raises(StepFailed, match=r"(?s)ended with \d+; the last.*no-root/proc"):
        root.run(PERSONS["root"], "true", 60)


@needs_namespaces
def test_a_command_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    mark = f"987{os.getpid()}"
    root = Root(tmp_path, tmp_path / "log")
    with pytest.raises(StepFailed, match=r"took more than 1 s"):
        root._execute(newcomer._in_namespaces("sh", "-c", f"sleep {mark} & sleep {mark}"), 1)
    until = time.monotonic() + 30
    while mark in commands():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_root_is_gone_when_it_was_used() -> None:
    with pytest.raises(StepFailed), newcomer.temporary_root() as root:
        (root.folder / "etc").mkdir()
        raise StepFailed
    assert not root.folder.parent.exists()
