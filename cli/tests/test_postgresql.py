"""The local PostgreSQL: separate databases, and a start that repairs what an earlier run left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from oncepay_cli.errors import CommandError
from oncepay_cli.local.databases import Roles, close_common_databases, make_database, make_roles
from oncepay_cli.local.postgresql import PostgreSQL

HOST = "127.0.0.1"
PASSWORD = "the superuser's \\ secret"
# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300


@pytest.fixture
def new_server(free_port: Callable[[], int]) -> Iterator[PostgreSQL]:
    """A server without a cluster, not started, in a folder with a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="oncepay test "))
    folder.chmod(0o711)
    server = PostgreSQL(
        data=folder / "postgresql",
        log=folder / "log",
        port=free_port(),
        password=PASSWORD,
        synced=False,
    )
    yield server
    server.stop()
    if server.data.is_symlink():
        shutil.rmtree(server.data.readlink().parent)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """The data folder of a new cluster, stopped, to be copied: creating one takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="oncepay cluster "))
    folder.chmod(0o711)
    server = PostgreSQL(folder / "postgresql", folder / "log", 0, PASSWORD, synced=False)
    server.create()
    yield server.data
    shutil.rmtree(folder)


@pytest.fixture
def server(new_server: PostgreSQL, cluster: Path) -> PostgreSQL:
    """A server with a new cluster, not started."""
    subprocess.run(["cp", "--archive", cluster, new_server.data], check=True)
    return new_server


def roles(user: str) -> Roles:
    return Roles(user, f"{user}'s \\ secret", f"{user}_owner", f"{user}'s other secret")


async def log_in(server: PostgreSQL, role: str, password: str, database: str) -> None:
    connection = await asyncpg.connect(
        host=HOST, port=server.port, user=role, password=password, database=database
    )
    await connection.close()


async def test_a_role_can_connect_to_its_own_database_only(postgresql: PostgreSQL) -> None:
    close_common_databases(postgresql)
    for user in ("left", "right"):
        make_roles(postgresql, roles(user))
        make_database(postgresql, user, roles(user))
    try:
        for role, password in (
            ("left", roles("left").password),
            ("left_owner", roles("left").owner_password),
        ):
            await log_in(postgresql, role, password, "left")
            for other in ("right", "postgres", "template1"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                    await log_in(postgresql, role, password, other)
    finally:
        postgresql.run('DROP DATABASE "left" WITH (FORCE); DROP DATABASE "right" WITH (FORCE);')


async def test_a_wrong_password_is_rejected(postgresql: PostgreSQL) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in(postgresql, "postgres", "x", "postgres")


async def test_making_the_roles_again_changes_their_passwords(postgresql: PostgreSQL) -> None:
    make_roles(postgresql, roles("again"))
    make_database(postgresql, "again", roles("again"))
    changed = Roles("again", "another", "again_owner", "yet another")
    make_roles(postgresql, changed)
    make_database(postgresql, "again", changed)
    try:
        await log_in(postgresql, "again", "another", "again")
    finally:
        postgresql.run("DROP DATABASE again WITH (FORCE);")


def test_the_server_listens_on_the_loopback_only_and_its_commits_are_durable(
    postgresql: PostgreSQL,
) -> None:
    shown = postgresql.run(
        "SELECT current_setting('listen_addresses'), current_setting('fsync'),"
        " current_setting('full_page_writes'), current_setting('synchronous_commit'),"
        " current_setting('password_encryption'), current_setting('data_checksums')"
    )
    assert shown == "127.0.0.1|on|on|on|scram-sha-256|on"


def test_a_start_creates_a_cluster_and_a_second_start_keeps_the_running_server(
    new_server: PostgreSQL,
) -> None:
    server = new_server
    assert server.start() is False
    first = server.server()
    assert server.start() is True
    assert server.server() == first


def test_data_survives_a_stop(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    server.stop()
    assert server.server() is None
    server.start()
    assert server.run("SELECT n FROM kept") == "7"


def test_data_survives_a_kill_9(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    killed = server.server()
    assert killed is not None
    killed.send(signal.SIGKILL)
    assert killed.wait_until_gone(MAX_WAIT_SECONDS)
    assert (server.data / "postmaster.pid").exists()
    assert server.start() is False
    assert server.run("SELECT n FROM kept") == "7"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("not a number\n", id="not a pid"),
        # PostgreSQL itself does not start then.
        pytest.param("{other}\n/elsewhere\n1\n1\n\n\n\nready\n", id="another process's pid"),
    ],
)
def test_a_stale_pid_file_does_not_prevent_the_start(server: PostgreSQL, content: str) -> None:
    other = subprocess.Popen(["sleep", "3600"], user=_owner(server), cwd="/")
    try:
        (server.data / "postmaster.pid").write_text(content.format(other=other.pid))
        assert server.start() is False
        assert server.run("SELECT 1") == "1"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_start_fails_while_children_of_a_dead_server_use_the_folder(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=server.data
    )
    monkeypatch.setattr("oncepay_cli.local.postgresql.ORPHANS_SECONDS", 0.1)
    try:
        with pytest.raises(CommandError, match=rf"still use .*: {child.pid}\."):
            server.start()
    finally:
        child.communicate(b"\n")


def test_a_port_in_use_is_named(server: PostgreSQL) -> None:
    with socket.socket() as other:
        other.bind((HOST, server.port))
        other.listen()
        with pytest.raises(CommandError, match=f"Port {server.port} is in use.*--postgresql-port"):
            server.start()
    assert server.server() is None


def test_a_running_server_is_restarted_on_another_port(
    server: PostgreSQL, free_port: Callable[[], int]
) -> None:
    server.start()
    moved = PostgreSQL(server.data, server.log, free_port(), server.password)
    assert moved.start() is False
    assert moved.run("SHOW port") == str(moved.port)


def test_a_lost_superuser_password_is_replaced(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    with_new_password = PostgreSQL(server.data, server.log, server.port, "it's \\ new")
    with_new_password.start()
    assert with_new_password.run("SELECT n FROM kept") == "7"


def test_an_unfinished_cluster_is_removed_and_other_folders_are_kept(
    new_server: PostgreSQL,
) -> None:
    unfinished = new_server.data.with_name(".postgresql-unfinished-1")
    backup = new_server.data.with_name("postgresql.backup")
    for folder in (unfinished, backup):
        folder.mkdir()
        (folder / "PG_VERSION").write_text("18")
    new_server.start()
    assert new_server.run("SELECT 1") == "1"
    assert not unfinished.exists()
    assert backup.exists()


def test_data_of_another_major_version_is_rejected(server: PostgreSQL) -> None:
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(CommandError, match="was written by PostgreSQL 16"):
        server.start()


def test_the_server_runs_in_a_folder_that_others_may_not_enter(new_server: PostgreSQL) -> None:
    new_server.data.parent.chmod(0o700)
    new_server.start()
    new_server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    new_server.stop()
    assert new_server.data.is_symlink() == (os.geteuid() == 0)
    new_server.start()
    assert new_server.run("SELECT n FROM kept") == "7"


def _owner(server: PostgreSQL) -> int:
    return server.data.stat().st_uid
