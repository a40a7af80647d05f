"""The passwords of a local installation."""

import os
import stat
from pathlib import Path

from oncepay_cli.local import passwords


def test_passwords_are_created_once_in_a_folder_that_only_its_owner_may_enter(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "secrets"
    passwords.make(folder)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(made) == [
        "customer.txt",
        "customer_owner.txt",
        "payment.txt",
        "payment_owner.txt",
        "postgresql.txt",
        "webhook_secret.txt",
    ]
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    passwords.make(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_a_password_file_becomes_readable_for_the_user_of_a_container(
    tmp_path: Path,
) -> None:
    passwords.make(tmp_path)
    passwords.file_of(tmp_path, "customer").chmod(0o600)
    passwords.make(tmp_path)
    assert stat.S_IMODE(passwords.file_of(tmp_path, "customer").stat().st_mode) == 0o444


def test_an_empty_or_partial_password_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "customer.txt").write_text("")
    (tmp_path / "payment.partial").write_text("half")
    passwords.make(tmp_path)
    assert len(passwords.read(tmp_path, "customer")) > 40
    assert passwords.read(tmp_path, "payment") != "half"


def test_links_lead_from_a_services_folder_to_its_passwords(tmp_path: Path) -> None:
    folder = tmp_path / ".oncepay" / "secrets"
    for service in passwords.SERVICES:
        (tmp_path / service).mkdir()
    passwords.make(folder)
    passwords.link(folder, tmp_path)
    passwords.link(folder, tmp_path)
    link = tmp_path / "payment" / "owner_password.txt"
    assert link.read_text() == (folder / "payment_owner.txt").read_text()
    webhooks = tmp_path / "payment" / "webhook_secret.txt"
    assert webhooks.read_text() == (folder / "webhook_secret.txt").read_text()
    assert not (tmp_path / "customer" / "webhook_secret.txt").exists()
    assert not os.path.isabs(link.readlink())  # noqa: PTH117  the folder may be moved


def test_an_existing_password_file_is_kept(tmp_path: Path) -> None:
    for service in passwords.SERVICES:
        (tmp_path / service).mkdir()
    own = tmp_path / "customer" / "password.txt"
    own.write_text("mine")
    passwords.link(tmp_path / "secrets", tmp_path)
    assert own.read_text() == "mine"
