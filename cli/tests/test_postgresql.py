"""The hand-started PostgreSQL: a wall per service, and a start that mends what the last run left."""

import os
import secrets
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
from oncepay_cli.local import os_processes
from oncepay_cli.local.databases import Roles, close_common_databases, make_database, make_roles
from oncepay_cli.local.postgresql import PostgreSQL

HOST = "127.0.0.1"


@pytest.fixture
def server(free_port: Callable[[], int]) -> Iterator[PostgreSQL]:
    """A cluster of the test's own, not started, in a folder with a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="oncepay test "))
    folder.chmod(0o711)
    server = PostgreSQL(
        data=folder / "postgresql",
        log=folder / "log",
        port=free_port(),
        password=secrets.token_urlsafe(),
        synced=False,
    )
    yield server
    server.stop()
    shutil.rmtree(folder)


def roles(user: str) -> Roles:
    return Roles(user, f"{user}'s \\ secret", f"{user}_owner", f"{user}'s other secret")


async def enter(server: PostgreSQL, role: str, password: str, database: str) -> None:
    connection = await asyncpg.connect(
        host=HOST, port=server.port, user=role, password=password, database=database
    )
    await connection.close()


async def test_a_role_enters_its_own_database_and_no_other(postgresql: PostgreSQL) -> None:
    close_common_databases(postgresql)
    for user in ("left", "right"):
        make_roles(postgresql, roles(user))
        make_database(postgresql, user, roles(user))
    try:
        for role, password in (
            ("left", roles("left").password),
            ("left_owner", roles("left").owner_password),
        ):
            await enter(postgresql, role, password, "left")
            for other in ("right", "postgres", "template1"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                    await enter(postgresql, role, password, other)
    finally:
        postgresql.run('DROP DATABASE "left" WITH (FORCE); DROP DATABASE "right" WITH (FORCE);')


async def test_a_wrong_password_is_refused(postgresql: PostgreSQL) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await enter(postgresql, "postgres", "x", "postgres")


async def test_making_roles_again_sets_the_password_to_the_new_one(postgresql: PostgreSQL) -> None:
    make_roles(postgresql, roles("again"))
    make_database(postgresql, "again", roles("again"))
    changed = Roles("again", "another", "again_owner", "yet another")
    make_roles(postgresql, changed)
    make_database(postgresql, "again", changed)
    try:
        await enter(postgresql, "again", "another", "again")
    finally:
        postgresql.run("DROP DATABASE again WITH (FORCE);")


def test_it_listens_on_the_loopback_only_and_is_durable(postgresql: PostgreSQL) -> None:
    shown = postgresql.run(
        "SELECT current_setting('listen_addresses'), current_setting('fsync'),"
        " current_setting('full_page_writes'), current_setting('synchronous_commit'),"
        " current_setting('password_encryption'), current_setting('data_checksums')"
    )
    assert shown == "127.0.0.1|on|on|on|scram-sha-256|on"


def test_a_second_start_adopts_the_running_server(server: PostgreSQL) -> None:
    assert server.start() is False
    first = server.server()
    assert server.start() is True
    assert server.server() == first


def test_what_was_written_is_there_after_a_stop(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    server.stop()
    assert server.server() is None
    server.start()
    assert server.run("SELECT n FROM kept") == "7"


def test_a_killed_server_is_mended_and_loses_nothing(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    killed = server.server()
    assert killed is not None
    killed.send(signal.SIGKILL)
    assert killed.wait_until_gone(10)
    assert (server.data / "postmaster.pid").exists()
    assert server.start() is False
    assert server.run("SELECT n FROM kept") == "7"


@pytest.mark.parametrize(
    "left", ["", "not a number\n", "{another}\n/elsewhere\n1\n1\n\n\n\nready\n"]
)
def test_a_stale_pid_file_does_not_stop_it(server: PostgreSQL, left: str) -> None:
    """The pid may live again as another process: PostgreSQL itself refuses to start then."""
    server.start()
    server.stop()
    another = subprocess.Popen(["sleep", "60"], user=_owner(server), cwd="/")
    try:
        (server.data / "postmaster.pid").write_text(left.format(another=another.pid))
        assert server.start() is False
        assert server.run("SELECT 1") == "1"
        assert another.poll() is None
    finally:
        another.kill()
        another.wait()


def test_it_does_not_start_beside_children_of_a_dead_server(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    server.stop()
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=server.data
    )
    monkeypatch.setattr("oncepay_cli.local.postgresql.ORPHANS_SECONDS", 0.1)
    try:
        with pytest.raises(CommandError, match=rf"still work in .*: {child.pid}\."):
            server.start()
    finally:
        child.communicate(b"\n")


def test_a_taken_port_is_named_in_a_sentence(server: PostgreSQL) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, server.port))
        taken.listen()
        with pytest.raises(CommandError, match=f"Port {server.port} is taken.*--postgresql-port"):
            server.start()
    assert server.server() is None


def test_another_port_moves_the_running_server(
    server: PostgreSQL, free_port: Callable[[], int]
) -> None:
    server.start()
    moved = PostgreSQL(server.data, server.log, free_port(), server.password)
    assert moved.start() is False
    assert moved.run("SHOW port") == str(moved.port)


def test_a_lost_superuser_password_is_set_anew(server: PostgreSQL) -> None:
    server.start()
    server.run("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7);")
    forgotten = PostgreSQL(server.data, server.log, server.port, "it's \\ new")
    forgotten.start()
    assert forgotten.run("SELECT n FROM kept") == "7"


def test_a_half_made_cluster_is_never_met(server: PostgreSQL) -> None:
    unfinished = server.data.with_name(".postgresql-unfinished-1")
    put_aside = server.data.with_name("postgresql.put-aside")  # by a person, who wants it back
    for folder in (unfinished, put_aside):
        folder.mkdir()
        (folder / "PG_VERSION").write_text("18")
    server.start()
    assert server.run("SELECT 1") == "1"
    assert not unfinished.exists()
    assert put_aside.exists()


def test_data_of_another_major_version_is_refused_in_a_sentence(server: PostgreSQL) -> None:
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(CommandError, match="is PostgreSQL 16's"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_root_is_told_which_folder_keeps_the_server_out(server: PostgreSQL) -> None:
    server.data.parent.chmod(0o700)
    with pytest.raises(CommandError, match=r"may not enter .*oncepay test"):
        server.start()


def test_a_pid_given_again_is_another_process() -> None:
    me = os_processes.find(os.getpid())
    assert me is not None
    assert me.is_alive()
    assert not os_processes.OsProcess(me.pid, me.started - 60).is_alive()


def _owner(server: PostgreSQL) -> int:
    return server.data.stat().st_uid
