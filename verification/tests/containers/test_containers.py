"""The images and the Compose file, by a real engine: `make compose-test`."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from oncepay_cli.connection import connect
from oncepay_cli.local import first_payment, passwords
from oncepay_cli.local.health import HOST, opener
from oncepay_cli.local.paths import Paths
from verification.containers import (
    MIGRATIONS,
    PARTS,
    Containers,
    NotOurProcess,
    engine_answers,
    run,
    temporary_containers,
)
from verification.load import (
    AMOUNT,
    PATIENCE_SECONDS,
    Load,
    payments_of,
    settled_payments_of,
    under_load,
)

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


def captured(containers: Containers) -> Counter[str]:
    """How often the sandbox has taken money for each of its intents."""
    address = f"http://{HOST}:{containers.ports.sandbox}/_sandbox/movements"
    with opener.open(address, timeout=10) as answer:
        movements = json.load(answer)["movements"]
    return Counter(one["intent"] for one in movements if one["kind"] == "captured")


def python(containers: Containers, part: str, program: str) -> str:
    """What a program says that runs in a part's container."""
    return run("docker", "exec", containers.id_of(part), "python", "-c", program)


def until_answered(load: Load, count: int) -> None:
    """Wait until that many payments have been answered."""
    until = time.monotonic() + PATIENCE_SECONDS
    while len(load.answered) < count:
        assert time.monotonic() < until, f"only {len(load.answered)} were answered: {load.refused}"
        time.sleep(0.05)


def test_a_first_payment_is_executed_once(containers: Containers) -> None:
    with (
        connect(f"{HOST}:{containers.ports.customer}") as customers,
        connect(f"{HOST}:{containers.ports.payment}") as payments,
    ):
        sandbox = f"http://{HOST}:{containers.ports.sandbox}"
        first = first_payment.execute(customers, payments, sandbox)
    assert first.payment.State.Name(first.payment.state) == "SUCCEEDED"
    assert first.charges == [first_payment.AMOUNT.minor_units]


@pytest.mark.parametrize("part", LIMITED)
def test_every_container_is_contained(containers: Containers, part: str) -> None:
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
def test_the_engine_tells_no_password(containers: Containers, part: str) -> None:
    told = json.dumps(containers.inspect(part))
    folder = Paths.of().secrets
    names = [role for service in SERVICES for role in (service, passwords.owner_of(service))]
    names.append(passwords.WEBHOOKS)
    assert [name for name in names if passwords.read(folder, name) in told] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_password_alone_and_not_in_its_environment(
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


def test_nobody_enters_a_database_as_its_superuser_from_outside(containers: Containers) -> None:
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
def test_the_image_says_by_itself_whether_it_is_healthy(
    containers: Containers, service: str
) -> None:
    check = containers.inspect(service)["Config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD"  # without a shell
    assert run("docker", "exec", containers.id_of(service), *check[1:]) == ""
    with pytest.raises(RuntimeError, match="UNAVAILABLE"):
        run("docker", "exec", containers.id_of(service), *check[1:-1], "127.0.0.1:1")


@pytest.mark.parametrize("part", PARTS)
def test_a_crash_under_load_loses_no_payment_and_doubles_none(
    containers: Containers, part: str
) -> None:
    with under_load(containers.ports) as load:
        until_answered(load, 20)
        try:
            containers.crash(part)
        except NotOurProcess as reason:
            pytest.skip(f"No container's process can be killed from here: {reason}.")
        until_answered(load, len(load.answered) + 20)
    assert load.refused == []
    payments = settled_payments_of(containers.ports, load.customer)
    assert sorted(payment.name for payment in payments) == sorted(load.answered.values())
    assert {payment.State.Name(payment.state) for payment in payments} == {"SUCCEEDED"}
    taken = captured(containers)
    assert {taken[payment.processor_id] for payment in payments} == {1}
    assert {payment.amount_captured.minor_units for payment in payments} == {AMOUNT.minor_units}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_told_to_stop_ends_by_itself(containers: Containers, part: str) -> None:
    containers.compose("stop", part)
    state = containers.inspect(part)["State"]
    containers.up()
    assert state["ExitCode"] == 0


def test_what_was_paid_survives_down_and_up(containers: Containers) -> None:
    with under_load(containers.ports) as load:
        until_answered(load, 5)
    containers.compose("down")
    containers.up()
    found = payments_of(containers.ports, load.customer)
    assert {payment.name for payment in found} == set(load.answered.values())
