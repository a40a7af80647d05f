"""`python -m verification.rolling`: two replicas of each service under load, each started anew in its turn.

As Kubernetes goes about it: one replica at a time is left alone for a moment (preStop), told to stop
(SIGTERM), waited for while it drains, and started in its place; the next one's turn comes when this
one has been ready for a while (minReadySeconds). A client balances over the two, round robin.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncepay_cli.local import health, processes
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation, Ports
from oncepay_cli.local.processes import Child, Program
from verification import caller
from verification.house import pid_of, temporary_house
from verification.load import settled_payments_of

SERVICES = ("customer", "payment")
REPLICAS = (1, 2)
STOP_SECONDS = 1.0
"""Between the last look at a replica and its SIGTERM. The clients' list has two fixed addresses, so
nothing comes of it here: that is the harder case."""
READY_SECONDS = 3.0
"""How long a new replica is ready before the next one goes: a client that was refused by the old one
comes back to its place after a wait that begins at a second."""


@dataclass(frozen=True, slots=True)
class Roll:
    """What came of the roll of one service.

    Attributes:
        seen: what the callers saw meanwhile.
        seconds: how long each replica took from SIGTERM to its end, and its successor to be ready.
        missing: payments that a caller was answered with, and that Payment does not list as
            SUCCEEDED; or the other way round.
        captures: how often the sandbox took money for a payment, each number that occurs.
    """

    service: str
    seen: caller.Snapshot
    seconds: list[tuple[float, float]]
    missing: list[str]
    captures: set[int]


class Replica:
    """One process of a service. It has the settings of the house's own, but for its address."""

    def __init__(self, house: Installation, service: str, number: int, targets: str) -> None:
        self.port = health.free_port()
        self._house = house
        settings = settings_of(pid_of(house, service))
        settings["LISTEN_ADDRESS"] = f"{HOST}:{self.port}"
        if "WEBHOOK_LISTEN_ADDRESS" in settings:
            settings["WEBHOOK_LISTEN_ADDRESS"] = f"{HOST}:{health.free_port()}"
        if targets:
            settings["CUSTOMER_TARGET"] = targets
        self._program = Program(
            f"{service}-{number}",
            (service,),
            settings,
            lambda: health.service_is_ready(self.port),
        )
        self._child: Child | None = None

    def start(self) -> None:
        self._child = processes.start(self._program, self._house.paths)
        self._child.wait_until_ready()

    def stop(self) -> None:
        """Told to stop, and waited for: it drains."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def crash(self) -> None:
        """Ended in the middle of everything (SIGKILL), for comparison."""
        if self._child is not None:
            self._child.process.kill()
            self.stop()

    def roll(self, end: Callable[["Replica"], None]) -> tuple[float, float]:
        """How many seconds the old one took to end, and the new one to be ready."""
        time.sleep(STOP_SECONDS)
        began = time.monotonic()
        end(self)
        ended = time.monotonic()
        self.start()
        ready = time.monotonic()
        time.sleep(READY_SECONDS)
        return ended - began, ready - ended


def settings_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with (proc(5))."""
    whole = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(each.split("=", 1) for each in whole if "=" in each)


class Replicas:
    """A house with two replicas of each service, in place of one."""

    def __init__(self, house: Installation) -> None:
        self.house = house
        self.replicas: dict[str, list[Replica]] = {}

    def start(self) -> None:
        targets = ""
        for service in SERVICES:
            these = [Replica(self.house, service, number, targets) for number in REPLICAS]
            self.replicas[service] = these
            for replica in these:
                replica.start()
            targets = self.target(service)
        for service in SERVICES:  # the house's own have told their settings, and are not needed
            os.kill(pid_of(self.house, service), signal.SIGTERM)

    def stop(self) -> None:
        for replicas in self.replicas.values():
            for replica in replicas:
                replica.stop()

    def target(self, service: str) -> str:
        return "ipv4:" + ",".join(f"{HOST}:{each.port}" for each in self.replicas[service])

    @contextmanager
    def called(self) -> Iterator[subprocess.Popen[str]]:
        """Callers in a process of their own, as they would be in a pod."""
        targets = {f"{service.upper()}_TARGET": self.target(service) for service in SERVICES}
        command = [sys.executable, str(caller.__file__)]
        environment = processes.environment(targets)
        callers = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE)
        try:
            yield callers
        finally:
            if callers.poll() is None:
                callers.kill()
            callers.wait()

    def roll(self, service: str, end: Callable[[Replica], None] = Replica.stop) -> Roll:
        """Roll both replicas of a service under load, and look for every payment."""
        with self.called() as callers:
            time.sleep(READY_SECONDS)
            seconds = [replica.roll(end) for replica in self.replicas[service]]
            callers.send_signal(signal.SIGTERM)
            told, _ = callers.communicate(timeout=2 * caller.PATIENCE_SECONDS)
        seen = caller.Snapshot(**json.loads(told))
        ports = Ports(*(self.replicas[each][0].port for each in SERVICES))
        payments = settled_payments_of(ports, seen.customer)
        done = [each.name for each in payments if each.State.Name(each.state) == "SUCCEEDED"]
        taken = captures(self.house.ports.sandbox)
        return Roll(
            service,
            seen,
            seconds,
            sorted(set(seen.payments) ^ set(done)),
            {taken.get(each.processor_id, 0) for each in payments},
        )


def captures(sandbox: int) -> dict[str, int]:
    """How often the sandbox has taken money, by intent."""
    address = f"http://{HOST}:{sandbox}/_sandbox/movements"
    with health.opener.open(address, timeout=10) as answer:
        movements: list[dict[str, Any]] = json.load(answer)["movements"]
    intents = [each["intent"] for each in movements if each["kind"] == "captured"]
    return {intent: intents.count(intent) for intent in set(intents)}


@contextmanager
def two_of_each() -> Iterator[Replicas]:
    """Everything on free ports, in a temporary folder; gone at the end."""
    with temporary_house() as house, ExitStack() as ending:
        replicas = Replicas(house)
        ending.callback(replicas.stop)
        replicas.start()
        yield replicas


def told(roll: Roll, way: str) -> str:
    """A roll in words."""
    calls, failed = sum(roll.seen.calls.values()), sum(roll.seen.failed.values())
    lines = [
        f"{roll.service}, two replicas {way} under {caller.CALLERS} callers",
        f"  calls                      {calls}: {dict(sorted(roll.seen.calls.items()))}",
        f"  failed at the first try    {failed}",
        *(f"    {count} x {what}" for what, count in sorted(roll.seen.failed.items())),
        f"  failed after the retry     {len(roll.seen.given_up)}",
        *(f"    {what}" for what in roll.seen.given_up),
        f"  longest wait of a caller   {roll.seen.longest_seconds:.2f} s",
        f"  payments lost or unasked   {len(roll.missing)}",
        f"  captures for each payment  {', '.join(map(str, sorted(roll.captures)))}",
        "  to drain, to be ready      "
        + "; ".join(f"{drained:.2f} s, {ready:.2f} s" for drained, ready in roll.seconds),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    with two_of_each() as replicas:
        for way, end in (("rolled", Replica.stop), ("killed, for comparison,", Replica.crash)):
            for service in SERVICES:
                sys.stdout.write(told(replicas.roll(service, end), way))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
