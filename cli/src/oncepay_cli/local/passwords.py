"""The passwords of one installation: random, one file each, made once and then kept.

`make secrets` runs this file as a program, before there is an environment: standard library only.
It also links the services' passwords to where each service's folder is expected to have them.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from oncepay_cli.local.paths import REPOSITORY, Paths

SUPERUSER = "postgresql"
SERVICES = ("customer", "payment")
WEBHOOKS = "webhook_secret"
"""What the sandbox signs its webhooks with, and Payment knows them by."""

OF_ONE = {"payment": {"webhook_secret.txt": WEBHOOKS}}
"""What one service has beside its two passwords."""

# 32 bytes: as much as a brute force will never try.
PASSWORD_BYTES = 32

# Nobody else of this machine gets into the folder. The files themselves are open, for a container
# that is given one runs as a user of its own, and Compose hands the file on as it is.
FOLDER_MODE = 0o700
FILE_MODE = 0o444


def owner_of(service: str) -> str:
    """The role, and the name of its password, that owns a service's database and migrates it."""
    return f"{service}_owner"


def file_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.txt"


def make(folder: Path) -> None:
    """Make the passwords that are missing in a folder that only its owner may enter."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    for name in (SUPERUSER, WEBHOOKS, *(role for one in SERVICES for role in (one, owner_of(one)))):
        path = file_of(folder, name)
        if not path.exists() or not path.read_text().strip():
            _write(path, secrets.token_urlsafe(PASSWORD_BYTES))
        path.chmod(FILE_MODE)


def read(folder: Path, name: str) -> str:
    return file_of(folder, name).read_text().strip()


def link(folder: Path, repository: Path, services: Sequence[str] = SERVICES) -> None:
    """Link `customer/password.txt` and its like to the folder's. A file of one's own stays."""
    for service in services:
        names = {"password.txt": service, "owner_password.txt": owner_of(service)}
        for name, secret in (names | OF_ONE.get(service, {})).items():
            path = repository / service / name
            if path.is_symlink():
                path.unlink()
            if not path.exists():
                path.symlink_to(os.path.relpath(file_of(folder, secret), path.parent))


def _write(path: Path, password: str) -> None:
    """Whole or not at all: a crash leaves no empty password behind."""
    beside = path.with_suffix(".partial")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def main() -> None:
    paths = Paths.of()
    try:
        make(paths.secrets)
        link(paths.secrets, REPOSITORY)
    except OSError as error:
        sys.exit(f"The passwords cannot be written: {error.strerror}: {error.filename}.")


if __name__ == "__main__":
    main()
