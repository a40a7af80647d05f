"""Migrates the schema: runs dbmate over a folder of plain SQL, as the database's owner."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from chassis.settings import OwnerSettings, Secret
from chassis.startup_error import StartupError

# --migration-lock: of two runners one waits. --strict: an older file that was never applied is an
# error. No schema dump: it would need pg_dump, and write beside the migrations.
ARGUMENTS = (
    *("--no-dump-schema", "--wait", "--wait-timeout", "30s", "--migration-lock"),
    *("migrate", "--strict"),
)


def migrate(owner: OwnerSettings) -> None:
    """Applies the pending files of the directory, each in a transaction.

    Raises:
        StartupError: if dbmate or the directory is missing, or a file failed.
    """
    directory = owner.migrations_directory
    if not directory.is_dir():
        raise StartupError(f"MIGRATIONS_DIRECTORY {directory} is no folder; name the service's.")
    beside = shutil.which("dbmate", path=str(Path(sys.executable).parent))
    program = beside or shutil.which("dbmate")
    if program is None:
        raise StartupError(
            "dbmate is not installed beside Python or on PATH; install requirements.txt."
        )
    # The password goes by the environment, which other users cannot read as they can arguments.
    # It works in an empty folder, since it reads a .env where it works.
    with tempfile.TemporaryDirectory() as empty:
        command = [program, "--migrations-dir", str(directory.resolve()), *ARGUMENTS]
        url = with_password(owner.database_url, owner.database_password)
        done = subprocess.run(command, env={"DATABASE_URL": url}, cwd=empty, check=False)  # noqa: S603 - our own program, no shell
    if done.returncode:
        raise StartupError("The schema was not migrated; dbmate says above why.")


def with_password(url: str, password: Secret) -> str:
    """The URL as dbmate needs it: with the password, and with `sslmode`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = {"sslmode": "disable", **dict(parse_qsl(parts.query))}
    place = f"{parts.username}:{quote(password.reveal(), safe='')}@{host}"
    return parts._replace(netloc=place, query=urlencode(query)).geturl()
