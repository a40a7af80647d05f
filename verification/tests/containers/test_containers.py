"""The images and the Compose file on a real engine, by `make compose-test`."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from oncepay_cli.local import passwords
from oncepay_cli.local.first_payment import AMOUNT
from oncepay_cli.local.health import HOST
from oncepay_cli.local.paths import Paths
from verification.audit import discrepancies, list_payments
from verification.client import execute_first_payment
from verification.commands import CommandFailed, run
from verification.containers import (
    MIGRATIONS,
    PARTS,
    Containers,
    NotOurProcess,
    engine_answers,
    temporary_containers,
)
from verification.load import Observations, under_load
from verification.waiting import wait_until

COMPOSE = os.environ.get("COMPOSE", "")
if not COMPOSE:
    reason = "Containers are tested by `make compose-test`, which says which Compose."
    pytest.skip(reason, allow_module_level=True)

SERVICES = ("customer", "payment")
LIMITED = (*PARTS, *MIGRATIONS)


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    if not engine_answers():
        pytest.skip("No Docker engine answers here: nothing of the containers was tested.")
    with temporary_containers(COMPOSE) as started:
        yield started


def python(containers: Containers, part: str, program: str) -> str:
    """The output of a Python program in a part's container."""
    return run("docker", "exec", containers.id_of(part), "python", "-c", program).stdout.strip()


def load(containers: Containers) -> AbstractContextManager[Observations]:
    ports = containers.ports
    return under_load(f"{HOST}:{ports.customer}", f"{HOST}:{ports.payment}")


def wait_for_payments(observed: Observations, count: int) -> None:
    wait_until(lambda: len(observed.payments) >= count, f"too few payments: {observed}")


def test_a_first_payment_is_executed_once(containers: Containers) -> None:
    first = execute_first_payment(containers.ports)
    assert first.payment.State.Name(first.payment.state) == "SUCCEEDED"
    assert first.charges == [AMOUNT.minor_units]


@pytest.mark.parametrize("part", LIMITED)
def test_every_container_is_isolated_and_limited(containers: Containers, part: str) -> None:
    found = containers.inspect(part)
    host = found["HostConfig"]
    user, _, group = found["Config"]["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert host["ReadonlyRootfs"]
    assert [name.upper() for name in host["CapDrop"]] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0


@pytest.mark.parametrize("part", LIMITED)
def test_every_port_is_published_on_the_loopback_only(containers: Containers, part: str) -> None:
    bound = containers.inspect(part)["HostConfig"]["PortBindings"] or {}
    hosts = {binding["HostIp"] for bindings in bound.values() for binding in bindings}
    assert hosts == ({HOST} if part in (*SERVICES, "sandbox") else set())


@pytest.mark.parametrize("part", LIMITED)
def test_the_engine_knows_no_password(containers: Containers, part: str) -> None:
    shown = json.dumps(containers.inspect(part))
    folder = Paths.of().secrets
    names = [role for service in SERVICES for role in (service, passwords.owner_of(service))]
    names.append(passwords.WEBHOOKS)
    assert [name for name in names if passwords.read(folder, name) in shown] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_only_its_own_password_and_not_in_its_environment(
    containers: Containers, service: str
) -> None:
    folder = Paths.of().secrets
    password = passwords.read(folder, service)
    expected = {f"password={password}"}
    if service == "payment":
        expected.add(f"webhook_secret={passwords.read(folder, passwords.WEBHOOKS)}")
    held = python(
        containers,
        service,
        "import os; from pathlib import Path\n"
        "print(*[f'{file.name}={file.read_text().strip()}' for file in "
        "Path('/run/secrets').iterdir()])\n"
        "print(Path('/proc/1/environ').read_text())",
    ).splitlines()
    assert {*held[0].split()} == expected
    assert "DATABASE_PASSWORD_FILE" in held[1]
    assert password not in held[1]


@pytest.mark.parametrize(
    ("service", "own", "other"),
    [
        ("customer", "customer-database", "payment-database"),
        ("payment", "payment-database", "customer-database"),
    ],
)
def test_no_service_reaches_the_others_database(
    containers: Containers, service: str, own: str, other: str
) -> None:
    program = (
        "import socket, sys\n"
        "for host in {}:\n"
        "    try: socket.create_connection((host, 5432), timeout=2).close(); print('reached')\n"
        "    except OSError: print('not')"
    )
    networks = containers.inspect(other)["NetworkSettings"]["Networks"].values()
    address = next(iter(networks))["IPAddress"]
    hosts = [own, other, address]
    assert python(containers, service, program.format(hosts)).split() == ["reached", "not", "not"]


def test_a_superuser_cannot_connect_from_outside(containers: Containers) -> None:
    password = passwords.read(Paths.of().secrets, passwords.owner_of("customer"))
    program = (
        "import asyncio, asyncpg\n"
        "async def enter(role):\n"
        "    try: await asyncpg.connect(host='customer-database', user=role,\n"
        f"        password={password!r}, database='customer'); return 'in'\n"
        "    except asyncpg.InvalidPasswordError: return 'out'\n"
        "print(asyncio.run(enter('customer_owner')), asyncio.run(enter('postgres')))"
    )
    assert python(containers, "customer", program).split() == ["in", "out"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_has_a_health_check(containers: Containers, service: str) -> None:
    check = containers.inspect(service)["Config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD"  # without a shell
    assert run("docker", "exec", containers.id_of(service), *check[1:]).stdout == ""
    with pytest.raises(CommandFailed, match="UNAVAILABLE"):
        run("docker", "exec", containers.id_of(service), *check[1:-1], "127.0.0.1:1")


@pytest.mark.parametrize("part", PARTS)
def test_a_crash_under_load_loses_no_payment_and_charges_none_twice(
    containers: Containers, part: str
) -> None:
    with load(containers) as observed:
        wait_for_payments(observed, 20)
        try:
            containers.crash(part)
        except NotOurProcess as reason:
            pytest.skip(f"No container's process can be killed from here: {reason}.")
        wait_for_payments(observed, len(observed.payments) + 20)
    assert observed.given_up == []
    assert discrepancies(containers.ports, observed) == []


@pytest.mark.parametrize("part", PARTS)
def test_a_stopped_container_exits_with_code_0(containers: Containers, part: str) -> None:
    containers.compose("stop", part)
    state = containers.inspect(part)["State"]
    containers.up()
    assert state["ExitCode"] == 0


def test_payments_survive_down_and_up(containers: Containers) -> None:
    with load(containers) as observed:
        wait_for_payments(observed, 5)
    containers.compose("down")
    containers.up()
    found = list_payments(containers.ports, observed.customer)
    assert {payment.name for payment in found} == {*observed.payments}
