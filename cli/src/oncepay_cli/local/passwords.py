"""The passwords of a local installation: random, one file each, created once.

`make secrets` runs this module before the environment exists, so it imports the standard library only. It
also links each service's passwords into the service's folder.
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
"""The name of the secret that signs the sandbox's webhooks and verifies them in Payment."""

OTHER_SECRETS = {"payment": {"webhook_secret.txt": WEBHOOKS}}
"""The secrets of a service other than its two passwords."""

# 256 bits: out of reach of a brute-force search.
PASSWORD_BYTES = 32

# Only the owner may enter the folder. The files are readable by all, since Compose mounts them unchanged
# into containers that run as another user.
FOLDER_MODE = 0o700
FILE_MODE = 0o444


def owner_of(service: str) -> str:
    """The role that owns a service's database and migrates it; also its password's name."""
    return f"{service}_owner"


def file_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.txt"


def make(folder: Path) -> None:
    """Create the missing passwords, in a folder that only its owner may enter."""
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
    """Link `customer/password.txt` and the like to the folder's files. An existing file is kept."""
    for service in services:
        names = {"password.txt": service, "owner_password.txt": owner_of(service)}
        for name, secret in (names | OTHER_SECRETS.get(service, {})).items():
            path = repository / service / name
            if path.is_symlink():
                path.unlink()
            if not path.exists():
                path.symlink_to(os.path.relpath(file_of(folder, secret), path.parent))


def _write(path: Path, password: str) -> None:
    """Write a file atomically: a crash leaves no partial password."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def main() -> None:
    paths = Paths.of()
    try:
        make(paths.secrets)
        link(paths.secrets, REPOSITORY)
    except OSError as error:
        sys.exit(f"The passwords cannot be written: {error.strerror}: {error.filename}.")


if __name__ == "__main__":
    main()
