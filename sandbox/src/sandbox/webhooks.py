"""Webhooks: events are sent to a receiver, signed as Stripe signs them, until it accepts them.

As at Stripe (https://docs.stripe.com/webhooks), the order is not guaranteed and an event may arrive twice.
The ledger records which are owed, so a failure loses none.
"""

import asyncio
import hashlib
import heapq
import hmac
import json
import time
from collections.abc import Sequence

import aiohttp

from sandbox.faults import Faults, Kind
from sandbox.objects import Event
from sandbox.rendering import Renderer
from sandbox.sandbox import Sandbox

TIMEOUT = aiohttp.ClientTimeout(total=10)
FIRST_WAIT_SECONDS = 1.0  # before the second attempt; doubled each time
MAX_WAIT_SECONDS = 3600.0
MAX_CONCURRENT_REQUESTS = 16


def signature(payload: bytes, secrets: Sequence[str], moment: int) -> str:
    """The Stripe-Signature header: one v1 for each secret, two during a rotation."""
    signed = b"%d." % moment + payload
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


class Webhooks:
    """Delivers events to one receiver. Planned faults match "WEBHOOK {type of event}": `slow` delays it, so
    that others overtake it; `drop` and `refuse` skip this attempt; `lose_reply` sends it again.
    """

    def __init__(
        self, sandbox: Sandbox, faults: Faults, url: str, secrets: Sequence[str], base_url: str
    ) -> None:
        self._sandbox = sandbox
        self._faults = faults
        self._url = url
        self._secrets = secrets
        self._renderer = Renderer(sandbox.world.account, base_url, sandbox.owed)
        self._waiting: list[tuple[float, int, str]] = []  # due (monotonic), attempts so far, event
        self._queued: set[str] = set()

    async def run(self) -> None:
        """Deliver forever."""
        slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as group:
            while True:
                self._enqueue()
                while self._waiting and self._waiting[0][0] <= time.monotonic():
                    _, attempts, event = heapq.heappop(self._waiting)
                    await slots.acquire()
                    task = group.create_task(self._deliver(session, event, attempts))
                    task.add_done_callback(lambda _: slots.release())
                await self._wait()

    def _enqueue(self) -> None:
        self._sandbox.owed_changed.clear()
        for event in [owed for owed in self._sandbox.owed if owed not in self._queued]:
            self._queued.add(event)
            heapq.heappush(self._waiting, (time.monotonic(), 0, event))

    async def _wait(self) -> None:
        """Return when an event is added or a delivery is due."""
        wait = self._waiting[0][0] - time.monotonic() if self._waiting else MAX_WAIT_SECONDS
        try:
            async with asyncio.timeout(max(wait, 0.0)):
                await self._sandbox.owed_changed.wait()
        except TimeoutError:
            return

    async def _deliver(self, session: aiohttp.ClientSession, event_id: str, attempts: int) -> None:
        event = self._sandbox.world.find("event", event_id)
        if isinstance(event, Event) and await self._send(session, event):
            self._queued.discard(event_id)
            self._sandbox.delivered(event_id)
            return
        wait = min(FIRST_WAIT_SECONDS * 2 ** min(attempts, 20), MAX_WAIT_SECONDS)
        heapq.heappush(self._waiting, (time.monotonic() + wait, attempts + 1, event_id))
        self._sandbox.owed_changed.set()

    async def _send(self, session: aiohttp.ClientSession, event: Event) -> bool:
        """Send an event once; whether the receiver accepted it."""
        fault = self._faults.next_for(f"WEBHOOK {event.type}")
        kind = fault.kind if fault else None
        if fault and kind is Kind.SLOW:
            await asyncio.sleep(fault.seconds)
        if kind in (Kind.DROP, Kind.REFUSE):
            return False
        payload = json.dumps(self._renderer.event(event), separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, self._secrets, int(time.time())),
        }
        try:
            async with session.post(self._url, data=payload, headers=headers) as reply:
                return reply.ok and kind is not Kind.LOSE_REPLY
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
