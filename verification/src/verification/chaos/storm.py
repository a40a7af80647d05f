"""Everything that goes wrong, by chance and at named points, for as long as the storm lasts."""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from verification.chaos.arena import Arena
from verification.chaos.parts import Service
from verification.chaos.plan import PAUSE_SECONDS
from verification.chaos.proxy import CustomerStatus, Moment
from verification.chaos.traps import CHANGES, MOMENTS, POINTS, Trap
from verification.chaos.weather import Weather

PATIENCE_SECONDS = 4.0
"""How long a trap waits for what it is meant for, before the victim dies where it happens to be."""
AT_POINTS = 0.8
"""The share of kills that wait for a named point."""
PROGRESS_SECONDS = 10.0
WHILE_STARTING = 0.3
"""The share of starts that are not lived to their end."""
START_SECONDS = (0.1, 1.5)
CUSTOMER_LIVES = 10
"""How many times longer the Customer service lives: without it nothing new begins."""
SWALLOW_SECONDS = (2.0, 22.0)
"""How long a network drops silently: below and above the time-outs of those who wait."""
SIDES = {"processor": "the processor", "database": "PostgreSQL", "webhooks": "webhooks"}
DELAY_SECONDS = (0.1, 1.5)


class Storm:
    """Attributes: points: how often each named point was hit; done: everything else, by kind."""

    def __init__(self, arena: Arena) -> None:
        self.points: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._arena = arena
        self._chance = random.Random(arena.plan.seed)
        self._raising: set[asyncio.Task[None]] = set()
        self._weather = Weather(arena.sandbox_port, self._chance, self.done)

    @property
    def kills(self) -> int:
        """Services killed so far."""
        return sum(service.kills for service in self._arena.services)

    async def rage(self) -> None:
        """Until the plan's time is over, and its kills are reached; then everything is well again."""
        plan = self._arena.plan
        until = time.monotonic() + plan.seconds
        wreckers = [
            *(self._kill_for_ever(service) for service in self._arena.services),
            self._every(plan.database_every, self._kill_database),
            self._every(plan.stop_every, self._stop_service),
            self._every(4.0, self._break_network),
            self._every(1.5, self._break_at_point),
            self._weather.change_for_ever(),
        ]
        tasks = [asyncio.create_task(wrecker) for wrecker in wreckers]
        try:
            while time.monotonic() < until or self.kills < plan.kills:
                rest = min(max(until - time.monotonic(), 1.0), PROGRESS_SECONDS)
                done, _ = await asyncio.wait(
                    tasks, timeout=rest, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()  # none ends but by failing
                self._say()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.calm()

    def _say(self) -> None:
        killed = f"{self.kills} services and {self._arena.database.kills} times PostgreSQL killed"
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {killed}\n")

    async def calm(self) -> None:
        """Every fault off, every part up."""
        arena = self._arena
        arena.traps.clear()
        await self._weather.clear()
        for proxy in arena.proxies.values():
            proxy.heal()
        for service in arena.services:
            service.go_on()
        await arena.database.start()
        if self._raising:
            await asyncio.gather(*self._raising)
        for proxy in arena.proxies.values():
            await proxy.all_delivered()

    async def _every(self, seconds: float, wreck: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again: as often as said on the average, at no regular time."""
        while True:
            await asyncio.sleep(min(self._chance.expovariate(1 / seconds), 2 * seconds))
            await wreck()

    # ---------------------------------------------------------------- services

    async def _kill_for_ever(self, victim: Service) -> None:
        """Let it live for a while, then kill it."""
        life = self._arena.plan.life * (CUSTOMER_LIVES if victim is self._arena.customer else 1)
        while True:
            await victim.up.wait()
            await asyncio.sleep(min(self._chance.expovariate(1 / life), 4 * life))
            await self._kill_somewhere(victim)

    async def _kill_somewhere(self, victim: Service) -> None:
        """At a named point; or where it happens to be."""
        if victim is not self._arena.customer and self._chance.random() < AT_POINTS:
            trap = self._trap(victim, lambda: self._spring_kill(victim, trap))
            if await self._arena.traps.catch(trap, PATIENCE_SECONDS):
                return
        self._kill(victim, f"{_kind(victim)} at any instant")

    def _spring_kill(self, victim: Service, trap: Trap) -> CustomerStatus:
        """Kill, and see that what is passing ends where the trap says."""
        self._kill(victim, trap.point)
        return CustomerStatus.PASS if trap.moment is Moment.SENT else CustomerStatus.CUT

    def _kill(self, victim: Service, where: str) -> None:
        if victim.up.is_set() and victim.kill():
            self.points[where] += 1
            self._raise(victim)

    def _raise(self, service: Service) -> None:
        """Start it again, a little later."""

        async def up() -> None:
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
            while self._chance.random() < WHILE_STARTING and not await self._survives(service):
                self.points[f"{_kind(service)} while it starts"] += service.kill()
            if not service.up.is_set():
                await service.start()

        task = asyncio.create_task(up())
        self._raising.add(task)
        task.add_done_callback(self._raised)

    async def _survives(self, service: Service) -> bool:
        """Start it; whether it is up before its time is over."""
        try:
            async with asyncio.timeout(self._chance.uniform(*START_SECONDS)):
                await service.start()
        except TimeoutError:
            return False
        return True

    def _raised(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._raising.discard(task)  # one that failed stays, and `calm` raises it

    async def _stop_service(self) -> None:
        """Longer than a claim: the other replica takes over, and then there are two."""
        ready = [one for one in self._arena.payments if one.up.is_set()]
        if not ready:
            return
        victim, seconds = self._chance.choice(ready), self._arena.plan.stop
        stopped: list[bool] = []

        def stop() -> CustomerStatus:
            stopped.append(victim.stop())
            return CustomerStatus.PASS

        trap = self._trap(victim, stop)
        if not await self._arena.traps.catch(trap, PATIENCE_SECONDS):
            stop()
        if not any(stopped):
            return
        self.done[f"stopped for {seconds:.0f} s"] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            victim.go_on()

    # ---------------------------------------------------------------- PostgreSQL

    async def _kill_database(self) -> None:
        arena = self._arena
        if self._chance.random() < 0.5:
            trap = Trap(
                "database-",
                self._chance.choice(CHANGES),
                self._chance.choice(MOMENTS),
                lambda: self._spring_database(trap),
            )
            if not await arena.traps.catch(trap, PATIENCE_SECONDS):
                self._kill_tree("PostgreSQL at any instant")
        else:
            self._kill_tree("PostgreSQL at any instant")
        await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
        await arena.database.start()

    def _spring_database(self, trap: Trap) -> CustomerStatus:
        self._kill_tree(f"PostgreSQL, {trap.point}")
        return CustomerStatus.PASS if trap.moment is Moment.SENT else CustomerStatus.CUT

    def _kill_tree(self, where: str) -> None:
        if self._arena.database.kill():
            self.points[where] += 1

    # ---------------------------------------------------------------- the network

    def _trap(self, victim: Service, spring: Callable[[], CustomerStatus]) -> Trap:
        """One for this replica, at some named point."""
        side, operation = self._point()
        number = victim.name.rpartition("-")[2]
        return Trap(f"{side}-{number}", operation, self._chance.choice(MOMENTS), spring)

    def _point(self) -> tuple[str, str]:
        """A proxy's side, and an operation: what there is more of, more often."""
        ((side, operation),) = self._chance.choices(list(POINTS), list(POINTS.values()))
        return side, operation

    async def _break_network(self) -> None:
        name, proxy = self._chance.choice(sorted(self._arena.proxies.items()))
        kind = self._chance.choice(["cut", "cut", "swallow", "delay"])
        side = SIDES[name.split("-")[0]]
        self.done[f"{side}: {kind}"] += 1
        if kind == "cut":
            proxy.cut()
            return
        if kind == "swallow":
            proxy.swallow()
            seconds = self._chance.uniform(*SWALLOW_SECONDS)
        else:
            proxy.delay(self._chance.uniform(*DELAY_SECONDS))
            seconds = 3.0
        try:
            await asyncio.sleep(seconds)
        finally:
            proxy.heal()

    async def _break_at_point(self) -> None:
        """One request lost, one answer lost, or one that comes later than its caller waits."""
        (side, operation), moment = self._point(), self._chance.choice(MOMENTS)
        late = side == "processor" and self._chance.random() < 0.3
        verdict = CustomerStatus.LATE if late else CustomerStatus.CUT
        trap = Trap(side, operation, Moment.UNSENT if late else moment, lambda: verdict)
        if await self._arena.traps.catch(trap, PATIENCE_SECONDS):
            what = "delivered late" if late else f"cut, {moment.value}"
            self.done[f"{SIDES[side]}: {what}"] += 1


def _kind(service: Service) -> str:
    """`payment` of `payment-2`."""
    return service.name.split("-")[0]
