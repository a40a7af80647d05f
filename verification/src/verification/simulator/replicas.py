"""A replica of the Payment service: the real use cases and the real recovery, until it dies.

It can die, or stand still, at any await. A dead one's calls are answered by nobody, and what it still
tries to call, in a `finally` or anywhere, reaches nothing.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, cast
from uuid import UUID

from payment.service_layer.ports import Alarms, NotificationRepository
from payment.service_layer.recovery import Recovery
from payment.service_layer.webhook_notifications import RecordNotification
from verification.simulator.loop import VirtualLoop
from verification.simulator.network import Network
from verification.simulator.weather import Blow, Weather
from verification.world.calls import Call
from verification.world.use_cases import Port, UseCases, use_cases
from verification.world.world import INSTALLATION


class Process:
    """One life of a replica, from its start to its crash."""

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        network: Network,
        weather: Weather,
        random: Random,
        *,
        alarm: Alarms,
        on_unexpected_error: Callable[[Exception], None],
        new_id: Callable[[], UUID],
        failed: Callable[[BaseException], None],
        died: Callable[["Process", Blow], None],
    ) -> None:
        self.name = name
        self.is_dead = False
        self._loop = loop
        self._network = network
        self._weather = weather
        self._died = died
        self._still_until = 0.0
        self._waiting: dict[asyncio.Future[Any], None] = {}
        self.use_cases: UseCases = use_cases(
            self.perform,
            alarm=alarm,
            new_id=new_id,
            elapsed=loop.time,
            jitter=random.random,
            installation=INSTALLATION,
        )
        recovery = Recovery(
            steps=self.use_cases.steps,
            refunds=self.use_cases.refunds,
            alarm=alarm,
            on_unexpected_error=on_unexpected_error,
        )
        notifications = cast("NotificationRepository", Port("notifications", self.perform))
        self.record_notification = RecordNotification(notifications, recovery.wake)
        self._failed = failed
        self.recovering = loop.create_task(recovery.run())
        self.recovering.add_done_callback(self._recovery_ended)

    async def perform(self, call: Call) -> Any:
        """Make a call of this replica's."""
        if self._still_until > self._loop.time():
            await self._stand_still()
        if self.is_dead:
            raise asyncio.CancelledError
        blow = self._weather.blow()
        if blow is Blow.DIES_BEFORE:
            self.die(blow)
            raise asyncio.CancelledError
        if blow is Blow.SLEEPS_BEFORE:
            self._fall_asleep()
            await self._stand_still()
        answer = self._network.send(self.name, call)
        self._waiting[answer] = None
        if blow is Blow.SLEEPS_AFTER:
            self._fall_asleep()
        failure, found = None, None
        try:
            found = await answer
        except Exception as error:  # noqa: BLE001 (it is raised below, if the replica lives)
            failure = error
        self._waiting.pop(answer, None)
        await self._befall(blow)
        if failure is not None:
            raise failure
        return found

    async def _befall(self, blow: Blow | None) -> None:
        """What happens to the replica before it can make anything of an answer."""
        if blow is Blow.DIES_AFTER and not self.is_dead:
            self.die(blow)
            raise asyncio.CancelledError
        if self._still_until > self._loop.time() and not self.is_dead:
            await self._stand_still()

    def _recovery_ended(self, recovering: "asyncio.Task[None]") -> None:
        """It does with its process, and never by an error."""
        if not recovering.cancelled() and (error := recovering.exception()):
            self._failed(error)

    def die(self, blow: Blow) -> None:
        """Nothing of this process gets any further."""
        self.is_dead = True
        for answer in self._waiting:
            answer.cancel()
        self._waiting.clear()
        self._died(self, blow)

    def _fall_asleep(self) -> None:
        self._still_until = self._loop.time() + self._weather.sleep()

    async def _stand_still(self) -> None:
        """All of the process does, or none of it: whoever comes to a call meanwhile waits, too."""
        while self._still_until > self._loop.time():  # noqa: ASYNC110 (time is a number)
            await asyncio.sleep(self._still_until - self._loop.time())
        if self.is_dead:
            raise asyncio.CancelledError
