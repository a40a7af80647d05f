"""A replica of the Payment service: the real use cases and the real recovery, until it crashes.

It can crash or pause at any await. After a crash no call gets a reply, and whatever the replica still
tries to call, in a `finally` or anywhere, reaches nothing.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from payment.service_layer.alerts import RaiseAlert
from payment.service_layer.bulkhead import ProcessorBulkhead
from payment.service_layer.record_notification import RecordNotification
from payment.service_layer.recovery import Recovery
from verification.simulator.fault_profile import FaultProfile
from verification.simulator.loop import VirtualLoop
from verification.simulator.simulated_ports import SimulatedPorts
from verification.world.calls import Call
from verification.world.faults import ProcessFault
from verification.world.use_cases import Port, build_replica

if TYPE_CHECKING:
    from payment.service_layer.ports import NotificationRepository


class ReplicaProcess:
    """One process, from its start to its crash."""

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        ports: SimulatedPorts,
        faults: FaultProfile,
        random: Random,
        *,
        alert: RaiseAlert,
        on_unexpected_error: Callable[[Exception], None],
        on_failure: Callable[[BaseException], None],
        on_crash: Callable[["ReplicaProcess", ProcessFault], None],
        new_id: Callable[[], UUID],
    ) -> None:
        self.name = name
        self.has_crashed = False
        self._loop = loop
        self._ports = ports
        self._faults = faults
        self._on_failure = on_failure
        self._on_crash = on_crash
        self._paused_until = 0.0
        self._pending: dict[asyncio.Future[Any], None] = {}
        replica = build_replica(
            self.perform,
            alert=alert,
            new_id=new_id,
            elapsed=loop.time,
            jitter=random.random,
            bulkhead=ProcessorBulkhead(faults.bulkhead_slots),
        )
        self.use_cases = replica
        recovery = Recovery(replica.lanes, on_unexpected_error)
        notifications = cast("NotificationRepository", Port("notifications", self.perform))
        self.record_notification = RecordNotification(notifications, recovery.wake)
        self.recovering = loop.create_task(recovery.run())
        self.recovering.add_done_callback(self._check_recovery)

    async def perform(self, call: Call) -> Any:
        """Make a call of this replica."""
        await self._wait_while_paused()
        fault = self._faults.process_fault()
        if fault is ProcessFault.CRASH_BEFORE:
            self.crash(fault)
            raise asyncio.CancelledError
        if fault is ProcessFault.PAUSE_BEFORE:
            self._pause()
            await self._wait_while_paused()
        reply = self._ports.send(self.name, call)
        self._pending[reply] = None
        if fault is ProcessFault.PAUSE_AFTER:
            self._pause()
        failure, result = None, None
        try:
            result = await reply
        except Exception as error:  # noqa: BLE001 (it is raised below, if the replica still runs)
            failure = error
        self._pending.pop(reply, None)
        if not self.has_crashed:
            if fault is ProcessFault.CRASH_AFTER:
                self.crash(fault)
                raise asyncio.CancelledError
            await self._wait_while_paused()
        if failure is not None:
            raise failure
        return result

    def crash(self, fault: ProcessFault) -> None:
        """End the process: none of its tasks gets any further."""
        self.has_crashed = True
        for reply in self._pending:
            reply.cancel()
        self._pending.clear()
        self._on_crash(self, fault)

    def _pause(self) -> None:
        self._paused_until = self._loop.time() + self._faults.pause()

    async def _wait_while_paused(self) -> None:
        """All tasks of a process pause at once. Raises CancelledError after a crash."""
        while self._paused_until > self._loop.time():  # noqa: ASYNC110 (time is virtual)
            await asyncio.sleep(self._paused_until - self._loop.time())
        if self.has_crashed:
            raise asyncio.CancelledError

    def _check_recovery(self, recovering: "asyncio.Task[None]") -> None:
        """Recovery ends with its process, and never by an error."""
        if not recovering.cancelled() and (error := recovering.exception()):
            self._on_failure(error)
