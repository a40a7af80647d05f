"""All processes of a run, on free ports of the loopback and in a temporary folder; gone at the end.

clients -> payment-1, payment-2 -> customer
               |         |
    processor-1, -2   database-1, -2      the proxies: each replica has its own two
               |         |
           sandbox     PostgreSQL
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self

from oncepay_cli.local import health, passwords, processes
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import SANDBOX_KEY, Installation, Ports
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.processes import Program
from oncepay_cli.output import Output
from verification.baselines import SCHEMAS
from verification.chaos.fault_points import FaultPoints
from verification.chaos.plan import Plan
from verification.chaos.protocol_parsers import (
    HttpParser,
    OpaqueParser,
    PostgresParser,
    ProtocolParser,
)
from verification.chaos.proxy import Proxy
from verification.local_stack import (
    free_ports,
    postgresql,
    superuser_connection,
    temporary_paths,
)
from verification.processes import DatabaseServer, ServiceProcess

REPLICAS = (1, 2)


class Testbed:
    """Use `Testbed.open`. What is in it has the names of the picture above."""

    def __init__(self, plan: Plan, paths: Paths) -> None:
        self.plan = plan
        self.paths = paths
        self.fault_points = FaultPoints()
        self.proxies: dict[str, Proxy] = {}
        self.payments: list[ServiceProcess] = []
        ports = iter(free_ports(3 + 2 * len(REPLICAS)))
        self.sandbox_port, customer_port, database_port = islice(ports, 3)
        self._payment_ports = list(islice(ports, len(REPLICAS)))
        self._webhook_ports = list(ports)
        self.database = DatabaseServer(postgresql(paths, database_port))
        settings = self._settings("customer", database_port)
        self.customer = self._service("customer", ("customer",), settings, customer_port)

    @classmethod
    @asynccontextmanager
    async def open(cls, plan: Plan) -> AsyncIterator[Self]:
        """Everything up; whatever happens, nothing of it is left."""
        with temporary_paths() as paths:
            testbed = cls(plan, paths)
            async with AsyncExitStack() as endings:
                await testbed._start(endings)
                yield testbed

    @property
    def services(self) -> list[ServiceProcess]:
        return [*self.payments, self.customer]

    @property
    def target(self) -> str:
        """Both replicas of Payment, as gRPC names them."""
        return "ipv4:" + ",".join(f"{HOST}:{replica.port}" for replica in self.payments)

    @property
    def ledger(self) -> Path:
        """The processor's ledger, on the disk before an answer goes out."""
        return self.paths.sandbox / "ledger.jsonl"

    async def rows(self, sql: str) -> list[Any]:
        """What a statement finds in Payment's database, past every proxy, as the superuser."""
        async with superuser_connection(self.database.server, "payment") as connection:
            return list(await connection.fetch(sql))

    async def _start(self, endings: AsyncExitStack) -> None:
        endings.callback(self.database.end)
        await asyncio.to_thread(self._start_database)
        webhooks = await self._proxy("webhooks", self._webhook_ports, OpaqueParser, endings)
        sandbox = processes.start(self._sandbox(webhooks.port), self.paths)
        endings.callback(sandbox.stop)
        await asyncio.to_thread(sandbox.wait_until_ready)
        for number, port in zip(REPLICAS, self._payment_ports, strict=True):
            self.payments.append(await self._payment(number, port, endings))
        for service in self.services:
            endings.callback(service.end)
        await asyncio.gather(*(service.start() for service in self.services))

    def _start_database(self) -> None:
        """A migrated database of each service; a baseline takes the place of Payment's tables."""
        server = self.database.server
        ports = Ports(sandbox=self.sandbox_port, postgresql=server.port)
        Installation(self.paths, ports, Output()).start_databases()
        if self.plan.is_baseline:
            server.run(SCHEMAS[self.plan.design], "payment")

    async def _proxy(
        self,
        name: str,
        targets: list[int],
        parser: Callable[[], ProtocolParser],
        endings: AsyncExitStack,
    ) -> Proxy:
        proxy = Proxy(name, targets, parser, self.fault_points, self.plan.late)
        self.proxies[name] = proxy
        endings.push_async_callback(proxy.stop)
        await proxy.start()
        return proxy

    def _sandbox(self, webhooks: int) -> Program:
        port, plan = self.sandbox_port, self.plan
        arguments = [
            *("--host", HOST, "--port", str(port), "--data", str(self.paths.sandbox)),
            *("--key-life", str(plan.key_life), "--seed", str(plan.seed)),
        ]
        if not plan.is_baseline:
            arguments += ["--webhook-url", f"http://{HOST}:{webhooks}/webhooks/stripe"]
            arguments += ["--webhook-secret-file", self._webhook_secret()]
        return Program(
            "sandbox", ("sandbox", *arguments), {}, lambda: health.web_answers(port, "/_sandbox")
        )

    async def _payment(self, number: int, port: int, endings: AsyncExitStack) -> ServiceProcess:
        """A replica, behind proxies of its own."""
        processor = await self._proxy(
            f"processor-{number}", [self.sandbox_port], HttpParser, endings
        )
        database = await self._proxy(
            f"database-{number}", [self.database.server.port], PostgresParser, endings
        )
        settings = self._settings("payment", database.port) | {
            "CUSTOMER_TARGET": f"ipv4:{HOST}:{self.customer.port}",
            "WEBHOOK_LISTEN_ADDRESS": f"{HOST}:{self._webhook_ports[number - 1]}",
            "STRIPE_WEBHOOK_SECRET_FILE": self._webhook_secret(),
            "STRIPE_API_KEY": SANDBOX_KEY,
            "STRIPE_BASE_ADDRESS": f"http://{HOST}:{processor.port}",
            "ENVIRONMENT": "development",
        }
        design = self.plan.design
        module = ("verification.baselines", design) if self.plan.is_baseline else ("payment",)
        return self._service(f"payment-{number}", module, settings, port)

    def _settings(self, role: str, database_port: int) -> dict[str, str]:
        return {
            "DATABASE_URL": f"postgresql://{role}@{HOST}:{database_port}/{role}",
            "DATABASE_PASSWORD_FILE": str(passwords.file_of(self.paths.secrets, role)),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "warning",
        }

    def _service(
        self, name: str, module: tuple[str, ...], settings: dict[str, str], port: int
    ) -> ServiceProcess:
        address = {"LISTEN_ADDRESS": f"{HOST}:{port}"}
        return ServiceProcess(name, module, settings | address, self.paths, port)

    def _webhook_secret(self) -> str:
        return str(passwords.file_of(self.paths.secrets, passwords.WEBHOOKS))
