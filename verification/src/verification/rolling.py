"""`make rolling`: two replicas of each service, restarted one after the other under load.

As Kubernetes does it: a replica gets a pause (preStop) and SIGTERM, drains and exits, and is started again;
the next one follows when this one has been ready for a while (minReadySeconds). Clients balance over the two, round robin. Proven: no call of a client that keeps the
contract fails, and each payment is captured once. A second round kills the replicas, for comparison.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation, Ports
from verification.audit import discrepancies
from verification.load import CLIENTS, Observations, under_load
from verification.local_stack import free_ports, local_stack, process_id
from verification.output import write_line
from verification.processes import ServiceProcess

SERVICES = ("customer", "payment")
REPLICAS = (1, 2)
STOP_SECONDS = 1.0
"""Between the last look at a replica and its SIGTERM. The clients' list has two fixed addresses, so
nothing comes of it here: that is the harder case."""
READY_SECONDS = 3.0
"""How long a new replica is ready before the next one goes: a client that was refused by the old one
comes back to its place after a wait that begins at a second."""


@dataclass(frozen=True, slots=True)
class Restart:
    """What came of the rolling restart of one service.

    Attributes:
        seconds: how long each replica took from the signal to its end, and its successor to be ready.
    """

    service: str
    observed: Observations
    seconds: list[tuple[float, float]]
    discrepancies: list[str]

    def as_text(self, how: str) -> str:
        """The figures, for people."""
        observed = self.observed
        calls, failed = sum(observed.calls.values()), sum(observed.failed.values())
        lines = [
            f"{self.service}, two replicas {how} under {CLIENTS} clients",
            f"  calls                      {calls}: {dict(sorted(observed.calls.items()))}",
            f"  failed at the first try    {failed}",
            *(f"    {count} x {what}" for what, count in sorted(observed.failed.items())),
            f"  failed after the retry     {len(observed.given_up)}",
            *(f"    {what}" for what in observed.given_up),
            f"  longest wait of a client   {observed.longest_seconds:.2f} s",
            f"  wrong payments             {len(self.discrepancies)} of {len(observed.payments)}",
            *(f"    {what}" for what in self.discrepancies),
            "  to drain, to be ready      "
            + "; ".join(f"{drained:.2f} s, {ready:.2f} s" for drained, ready in self.seconds),
        ]
        return "\n".join(lines)


class Replicas:
    """Two replicas of each service, in the place of a stack's own one."""

    def __init__(self, stack: Installation) -> None:
        self._stack = stack
        self._replicas: dict[str, list[ServiceProcess]] = {}

    def start(self) -> None:
        own = {name: process_id(getattr(self._stack.ports, name)) for name in SERVICES}
        for service, pid in own.items():
            settings = environment_of(pid)
            if service == "payment":
                settings["CUSTOMER_TARGET"] = self.target("customer")
            replicas = [self._replica(service, number, settings) for number in REPLICAS]
            self._replicas[service] = replicas
            for replica in replicas:
                asyncio.run(replica.start())
        for pid in own.values():  # their settings are known, and they are not needed
            os.kill(pid, signal.SIGTERM)

    def _replica(self, service: str, number: int, settings: dict[str, str]) -> ServiceProcess:
        port, webhooks = free_ports(2)
        addresses = {"LISTEN_ADDRESS": f"{HOST}:{port}"}
        if "WEBHOOK_LISTEN_ADDRESS" in settings:
            addresses["WEBHOOK_LISTEN_ADDRESS"] = f"{HOST}:{webhooks}"
        name, paths = f"{service}-{number}", self._stack.paths
        return ServiceProcess(name, (service,), settings | addresses, paths, port)

    def stop(self) -> None:
        for replicas in self._replicas.values():
            for replica in replicas:
                replica.terminate()

    def target(self, service: str) -> str:
        return "ipv4:" + ",".join(f"{HOST}:{replica.port}" for replica in self._replicas[service])

    def restart(
        self, service: str, end: Callable[[ServiceProcess], object] = ServiceProcess.terminate
    ) -> Restart:
        """Restart both replicas of a service under load, and look for every payment."""
        with under_load(self.target("customer"), self.target("payment")) as observed:
            time.sleep(READY_SECONDS)
            seconds = [_restart(replica, end) for replica in self._replicas[service]]
        return Restart(service, observed, seconds, discrepancies(self._ports(), observed))

    def _ports(self) -> Ports:
        first = {service: self._replicas[service][0].port for service in SERVICES}
        return replace(self._stack.ports, **first)


def _restart(
    replica: ServiceProcess, end: Callable[[ServiceProcess], object]
) -> tuple[float, float]:
    """How many seconds the old process took to end, and the new one to be ready."""
    time.sleep(STOP_SECONDS)
    began = time.monotonic()
    end(replica)
    ended = time.monotonic()
    asyncio.run(replica.start())
    ready = time.monotonic()
    time.sleep(READY_SECONDS)
    return ended - began, ready - ended


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with (proc(5))."""
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(variable.split("=", 1) for variable in variables if "=" in variable)


@contextmanager
def two_of_each() -> Iterator[Replicas]:
    """Two replicas of each service on a stack of their own; gone at the end."""
    with local_stack() as stack, ExitStack() as ending:
        replicas = Replicas(stack)
        ending.callback(replicas.stop)
        replicas.start()
        yield replicas


def main() -> None:
    with two_of_each() as replicas:
        for how, end in (
            ("restarted", ServiceProcess.terminate),
            ("killed, for comparison,", ServiceProcess.kill),
        ):
            for service in SERVICES:
                write_line(replicas.restart(service, end).as_text(how))


if __name__ == "__main__":
    main()
