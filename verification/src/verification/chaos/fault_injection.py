"""Everything that goes wrong in a run, by chance and at named points, for as long as the plan says."""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from verification.chaos.fault_points import MOMENTS, OPERATIONS, STATEMENTS, FaultPoint
from verification.chaos.fault_profile import FaultProfile
from verification.chaos.plan import RESTART_SECONDS
from verification.chaos.proxy import Decision, Moment
from verification.chaos.testbed import Testbed
from verification.processes import ServiceProcess

ARMED_SECONDS = 4.0
"""How long a fault waits for its point, before it is injected at whatever instant it is."""
AT_POINTS = 0.8
"""The share of kills that wait for a named point."""
AT_POINTS_DATABASE = 0.5
WHILE_STARTING = 0.3
"""The share of starts that are killed before their end."""
START_SECONDS = (0.1, 1.5)
CUSTOMER_LIVES = 10
"""How many times longer the Customer service lives: without it nothing new begins."""
LATE = 0.3
"""The share of broken calls of the processor that arrive late, and not never."""
NETWORK_INTERVAL, POINT_INTERVAL = 4.0, 1.5
"""Seconds between two faults of the network, and between two broken calls, on the average."""
PARTITION_SECONDS = (2.0, 22.0)
"""Below and above the time-outs of those who wait."""
DELAY_SECONDS = (0.1, 1.5)
DELAYED_SECONDS = 3.0
PROGRESS_SECONDS = 10.0
SIDES = {"processor": "the processor", "database": "PostgreSQL", "webhooks": "webhooks"}


class FaultInjector:
    """Attributes: points: kills by where they hit; faults: everything else that was done, by kind."""

    def __init__(self, testbed: Testbed) -> None:
        self.points: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._testbed = testbed
        self._random = random.Random(testbed.plan.seed)
        self._restarts: set[asyncio.Task[None]] = set()
        self._profile = FaultProfile(testbed.sandbox_port, self._random, self.faults)

    @property
    def kills(self) -> int:
        """Services killed so far."""
        return sum(service.kills for service in self._testbed.services)

    async def run(self, answered_payments: Callable[[], int]) -> None:
        """Inject faults until the plan is fulfilled; then remove all of them."""
        plan = self._testbed.plan
        injectors = [
            *(self._kill_for_ever(service) for service in self._testbed.services),
            self._every(plan.database_kill_interval, self._kill_database),
            self._every(plan.pause_interval, self._pause_service),
            self._every(NETWORK_INTERVAL, self._break_network),
            self._every(POINT_INTERVAL, self._break_call),
            self._profile.change_for_ever(),
        ]
        tasks = [asyncio.create_task(injector) for injector in injectors]
        until = time.monotonic() + plan.seconds
        try:
            while (
                (left := until - time.monotonic()) > 0
                or self.kills < plan.kills
                or answered_payments() < plan.payments
            ):
                done, _ = await asyncio.wait(
                    tasks,
                    timeout=min(max(left, 1.0), PROGRESS_SECONDS),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    task.result()  # none ends but by failing
                self._show_progress()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop()

    def _show_progress(self) -> None:
        databases = self._testbed.database.kills
        killed = f"{self.kills} services and {databases} times PostgreSQL killed"
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {killed}\n")

    async def _stop(self) -> None:
        """Remove every fault, and bring every process up."""
        testbed = self._testbed
        testbed.fault_points.clear()
        await self._profile.clear()
        for proxy in testbed.proxies.values():
            proxy.heal()
        for service in testbed.services:
            service.resume()
        await testbed.database.start()
        await asyncio.gather(*self._restarts)
        for proxy in testbed.proxies.values():
            await proxy.all_delivered()

    async def _every(self, seconds: float, inject: Callable[[], Awaitable[None]]) -> None:
        """Again and again: as often as said on the average, at no regular time."""
        while True:
            await asyncio.sleep(min(self._random.expovariate(1 / seconds), 2 * seconds))
            await inject()

    # ---------------------------------------------------------------- services

    async def _kill_for_ever(self, victim: ServiceProcess) -> None:
        """Let it live for a while, then kill it."""
        is_customer = victim is self._testbed.customer
        life = self._testbed.plan.replica_life * (CUSTOMER_LIVES if is_customer else 1)
        while True:
            await victim.up.wait()
            await asyncio.sleep(min(self._random.expovariate(1 / life), 4 * life))
            at_point = not is_customer and self._random.random() < AT_POINTS
            if not (at_point and await self._at_point(victim, partial(self._kill, victim))):
                self._kill(victim, f"{victim.service} at any instant")

    async def _at_point(self, victim: ServiceProcess, inject: Callable[[str], bool]) -> bool:
        """Inject at a named point of this replica's traffic; whether it was hit in time."""
        side, operation = self._choose_operation()
        number = victim.name.rpartition("-")[2]
        return await self._arm(f"{side}-{number}", operation, inject)

    async def _arm(self, proxy: str, operation: str, inject: Callable[[str], bool]) -> bool:
        """Inject when an operation passes, with the point's name; where a process died by it, the
        operation ends there.
        """

        def hit() -> Decision:
            has_died = inject(str(point))
            return (
                Decision.RESET if has_died and point.moment is not Moment.SENT else Decision.FORWARD
            )

        point = FaultPoint(proxy, operation, self._random.choice(MOMENTS), hit)
        return await self._testbed.fault_points.arm(point, ARMED_SECONDS)

    def _choose_operation(self) -> tuple[str, str]:
        ((side, operation),) = self._random.choices(list(OPERATIONS), list(OPERATIONS.values()))
        return side, operation

    def _kill(self, victim: ServiceProcess, where: str) -> bool:
        if not (victim.up.is_set() and victim.kill()):
            return False
        self.points[where] += 1
        task = asyncio.create_task(self._restart(victim))
        self._restarts.add(task)
        task.add_done_callback(self._restarted)
        return True

    async def _restart(self, service: ServiceProcess) -> None:
        """Start it again, a little later; now and then it is killed while it starts."""
        await asyncio.sleep(self._random.uniform(*RESTART_SECONDS))
        while self._random.random() < WHILE_STARTING:
            try:
                async with asyncio.timeout(self._random.uniform(*START_SECONDS)):
                    await service.start()
                return
            except TimeoutError:
                self.points[f"{service.service} while it starts"] += service.kill()
        await service.start()

    def _restarted(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._restarts.discard(task)  # one that failed stays, and `_stop` raises its error

    async def _pause_service(self) -> None:
        """Longer than a claim: the other replica takes over, and then there are two."""
        ready = [replica for replica in self._testbed.payments if replica.up.is_set()]
        if not ready:
            return
        victim, seconds = self._random.choice(ready), self._testbed.plan.pause
        paused: list[bool] = []

        def pause(_where: str) -> bool:
            paused.append(victim.pause())
            return False

        if not await self._at_point(victim, pause):
            pause("at any instant")
        if not any(paused):
            return
        self.faults[f"paused for {seconds:.0f} s"] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            victim.resume()

    # ---------------------------------------------------------------- PostgreSQL

    async def _kill_database(self) -> None:
        at_point = self._random.random() < AT_POINTS_DATABASE
        operation = self._random.choice(STATEMENTS)
        if not (at_point and await self._arm("database-", operation, self._kill_tree)):
            self._kill_tree("at any instant")
        await asyncio.sleep(self._random.uniform(*RESTART_SECONDS))
        await self._testbed.database.start()

    def _kill_tree(self, where: str) -> bool:
        is_killed = self._testbed.database.kill()
        if is_killed:
            self.points[f"PostgreSQL, {where}"] += 1
        return is_killed

    # ---------------------------------------------------------------- the network

    async def _break_network(self) -> None:
        name, proxy = self._random.choice(sorted(self._testbed.proxies.items()))
        kind = self._random.choice(["reset", "reset", "partition", "delay"])
        self.faults[f"{SIDES[name.split('-')[0]]}: {kind}"] += 1
        if kind == "reset":
            proxy.reset()
            return
        if kind == "partition":
            proxy.partition()
            seconds = self._random.uniform(*PARTITION_SECONDS)
        else:
            proxy.delay(self._random.uniform(*DELAY_SECONDS))
            seconds = DELAYED_SECONDS
        try:
            await asyncio.sleep(seconds)
        finally:
            proxy.heal()

    async def _break_call(self) -> None:
        """One request lost, one answer lost, or one that comes later than its caller waits."""
        (side, operation), moment = self._choose_operation(), self._random.choice(MOMENTS)
        late = side == "processor" and self._random.random() < LATE
        decision = Decision.DELIVER_LATE if late else Decision.RESET
        point = FaultPoint(side, operation, Moment.UNSENT if late else moment, lambda: decision)
        if await self._testbed.fault_points.arm(point, ARMED_SECONDS):
            what = "delivered late" if late else f"reset, {moment.value}"
            self.faults[f"{SIDES[side]}: {what}"] += 1
