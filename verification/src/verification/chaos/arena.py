"""All parts of a run, on free ports of the loopback and in a temporary folder; gone at the end.

callers -> payment-1, payment-2 -> customer
               |         |
    processor-1, -2   database-1, -2      the proxies: each replica has its own two
               |         |
           sandbox     PostgreSQL
"""

import asyncio
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self

import asyncpg

from oncepay_cli.local import databases, health, passwords, processes
from oncepay_cli.local.installation import SANDBOX_KEY
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from oncepay_cli.local.processes import Child, Program
from verification.baselines import SCHEMAS
from verification.chaos.dialects import Dialect, Http, Plain, Postgres
from verification.chaos.parts import DatabaseServer, Service
from verification.chaos.plan import Plan
from verification.chaos.proxy import HOST, Proxy
from verification.chaos.traps import Traps

REPLICAS = (1, 2)
ONCEPAY = "oncepay"


class Arena:
    """Use `Arena.open`. What is in it has the names of its parts."""

    def __init__(self, plan: Plan, paths: Paths) -> None:
        self.plan = plan
        self.paths = paths
        self.traps = Traps()
        ports = iter(_free_ports(3 + 2 * len(REPLICAS)))
        self.database_port, self.sandbox_port, customer_port = islice(ports, 3)
        self._payment_ports = list(islice(ports, len(REPLICAS)))
        self._webhook_ports = list(ports)
        self.database = DatabaseServer(
            PostgreSQL(
                data=paths.postgresql,
                log=paths.logs / "postgresql.log",
                port=self.database_port,
                password=passwords.read(paths.secrets, passwords.SUPERUSER),
            )
        )
        self.proxies: dict[str, Proxy] = {}
        self.customer = Service(self._customer(customer_port), paths, customer_port)
        self.payments: list[Service] = []
        self._sandbox: Child | None = None
        self._webhook_secret = paths.secrets / "webhooks.txt"
        self._webhook_secret.write_text(f"whsec_{secrets.token_hex(32)}\n")

    @classmethod
    @asynccontextmanager
    async def open(cls, plan: Plan) -> AsyncIterator[Self]:
        """Everything up; whatever happens, nothing of it is left."""
        paths = temporary_paths()
        arena = cls(plan, paths)
        try:
            async with AsyncExitStack() as endings:
                await arena._start(endings)
                yield arena
        finally:
            shutil.rmtree(paths.home, ignore_errors=True)

    @property
    def services(self) -> list[Service]:
        return [*self.payments, self.customer]

    @property
    def target(self) -> str:
        """Both replicas of Payment, as gRPC names them."""
        return "ipv4:" + ",".join(f"{HOST}:{replica.port}" for replica in self.payments)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a statement finds in Payment's database, beside every proxy, as the superuser."""
        connection = await asyncpg.connect(
            host=HOST,
            port=self.database_port,
            user=SUPERUSER,
            password=self.database.server.password,
            database="payment",
        )
        try:
            return [dict(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    async def _start(self, endings: AsyncExitStack) -> None:
        endings.callback(self.database.end)
        await self.database.start()
        await asyncio.to_thread(self._make_databases)
        webhooks = await self._proxy("webhooks", self._webhook_ports, Plain, endings)
        self._sandbox = processes.start(self._sandbox_program(webhooks.port), self.paths)
        endings.callback(self._sandbox.stop)
        await asyncio.to_thread(self._sandbox.wait_until_ready)
        for number, port in zip(REPLICAS, self._payment_ports, strict=True):
            processor = await self._proxy(f"processor-{number}", [self.sandbox_port], Http, endings)
            database = await self._proxy(
                f"database-{number}", [self.database_port], Postgres, endings
            )
            program = self._payment(number, port, processor.port, database.port)
            self.payments.append(Service(program, self.paths, port))
        for service in self.services:
            endings.callback(service.end)
        await asyncio.gather(*(service.start() for service in self.services))

    async def _proxy(
        self,
        name: str,
        targets: list[int],
        dialect: Callable[[], Dialect],
        endings: AsyncExitStack,
    ) -> Proxy:
        proxy = self.proxies[name] = Proxy(name, targets, dialect, self.traps)
        proxy.late_seconds = self.plan.late
        endings.push_async_callback(proxy.stop)
        await proxy.start()
        return proxy

    def _make_databases(self) -> None:
        server, folder = self.database.server, self.paths.secrets
        for name in passwords.SERVICES:
            owner = passwords.owner_of(name)
            roles = databases.Roles(
                user=name,
                password=passwords.read(folder, name),
                owner=owner,
                owner_password=passwords.read(folder, owner),
            )
            databases.make_roles(server, roles)
            databases.make_database(server, name, roles)
        migrated = passwords.SERVICES if self.plan.design == ONCEPAY else ("customer",)
        for name in migrated:
            settings = self._settings(name, passwords.owner_of(name), self.database_port)
            program = Program(f"{name}-migrate", (name, "migrate"), settings, lambda: True)
            processes.run(program, self.paths)
        if self.plan.design != ONCEPAY:
            server.run(SCHEMAS[self.plan.design], "payment")

    def _settings(self, database: str, role: str, port: int) -> dict[str, str]:
        return {
            "DATABASE_URL": f"postgresql://{role}@{HOST}:{port}/{database}",
            "DATABASE_PASSWORD_FILE": str(passwords.file_of(self.paths.secrets, role)),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "warning",
        }

    def _sandbox_program(self, webhooks: int) -> Program:
        port = self.sandbox_port
        arguments = ("--host", HOST, "--port", str(port), "--data", str(self.paths.sandbox))
        rules: tuple[str, ...] = (
            "--key-life",
            str(self.plan.key_life),
            "--seed",
            str(self.plan.seed),
        )
        if self.plan.design == ONCEPAY:
            address = f"http://{HOST}:{webhooks}/webhooks/stripe"
            rules += ("--webhook-url", address, "--webhook-secret-file", str(self._webhook_secret))
        return Program(
            "sandbox",
            ("sandbox", *arguments, *rules),
            {},
            lambda: health.web_answers(port, "/_sandbox"),
        )

    def _customer(self, port: int) -> Program:
        settings = self._settings("customer", "customer", self.database_port)
        settings["LISTEN_ADDRESS"] = f"{HOST}:{port}"
        return Program("customer", ("customer",), settings, lambda: False)

    def _payment(self, number: int, port: int, processor: int, database: int) -> Program:
        settings = self._settings("payment", "payment", database) | {
            "LISTEN_ADDRESS": f"{HOST}:{port}",
            "CUSTOMER_TARGET": f"ipv4:{HOST}:{self.customer.port}",
            "WEBHOOK_LISTEN_ADDRESS": f"{HOST}:{self._webhook_ports[number - 1]}",
            "STRIPE_WEBHOOK_SECRET_FILE": str(self._webhook_secret),
            "STRIPE_API_KEY": SANDBOX_KEY,
            "STRIPE_BASE_ADDRESS": f"http://{HOST}:{processor}",
            "ENVIRONMENT": "development",
        }
        design = self.plan.design
        module = ("payment",) if design == ONCEPAY else ("verification.baselines", design)
        return Program(f"payment-{number}", module, settings, lambda: False)


def _free_ports(count: int) -> list[int]:
    """Held until all are known, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def temporary_paths() -> Paths:
    """In the system's temporary folder: where root runs this, PostgreSQL's user must get in."""
    folder = Path(tempfile.mkdtemp(prefix="oncepay-chaos-"))
    folder.chmod(0o711)
    paths = Paths(folder)
    paths.make()
    passwords.make(paths.secrets)
    return paths
