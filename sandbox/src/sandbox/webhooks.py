"""Webhooks: events sent to a receiver, signed as Stripe signs, until it accepts them.

Order is not promised, and an event may come twice, as with Stripe
(https://docs.stripe.com/webhooks). A failure loses nothing: what is owed is in the ledger.
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
FIRST_WAIT = 1.0  # seconds before the second try; doubled each time
MAX_WAIT = 3600.0
MAX_CONCURRENT_REQUESTS = 16  # deliveries under way


def signature(payload: bytes, secrets: Sequence[str], moment: int) -> str:
    """The Stripe-Signature header: a v1 for each secret, as while one is rotated."""
    signed = b"%d." % moment + payload
    ones = [hmac.new(one.encode(), signed, hashlib.sha256).hexdigest() for one in secrets]
    return ",".join([f"t={moment}", *(f"v1={one}" for one in ones)])


class Webhooks:
    """The one receiver. Planned faults meet deliveries too, as "WEBHOOK {event's type}": `slow` lets
    others overtake it, `drop` and `refuse` do not send it this time, `lose_reply` sends it again.
    """

    def __init__(
        self, sandbox: Sandbox, faults: Faults, url: str, secrets: Sequence[str], base_url: str
    ) -> None:
        self._sandbox = sandbox
        self._faults = faults
        self._url = url
        self._secrets = secrets
        self._renderer = Renderer(sandbox.world.account, base_url, sandbox.owed)
        self._waiting: list[tuple[float, int, str]] = []  # when (monotonic), tries so far, event
        self._known: set[str] = set()

    async def run(self) -> None:
        """Deliver for ever."""
        room = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as group:
            while True:
                self._take_up()
                while self._waiting and self._waiting[0][0] <= time.monotonic():
                    _, tries, event = heapq.heappop(self._waiting)
                    await room.acquire()
                    task = group.create_task(self._deliver(session, event, tries))
                    task.add_done_callback(lambda _: room.release())
                await self._rest()

    def _take_up(self) -> None:
        self._sandbox.owing.clear()
        for event in [one for one in self._sandbox.owed if one not in self._known]:
            self._known.add(event)
            heapq.heappush(self._waiting, (time.monotonic(), 0, event))

    async def _rest(self) -> None:
        """Until something is owed anew or a wait is over."""
        wait = self._waiting[0][0] - time.monotonic() if self._waiting else MAX_WAIT
        try:
            async with asyncio.timeout(max(wait, 0.0)):
                await self._sandbox.owing.wait()
        except TimeoutError:
            return

    async def _deliver(self, session: aiohttp.ClientSession, name: str, tries: int) -> None:
        event = self._sandbox.world.find("event", name)
        if isinstance(event, Event) and await self._send(session, event):
            self._known.discard(name)
            self._sandbox.delivered(name)
            return
        again = time.monotonic() + min(FIRST_WAIT * 2 ** min(tries, 20), MAX_WAIT)
        heapq.heappush(self._waiting, (again, tries + 1, name))
        self._sandbox.owing.set()

    async def _send(self, session: aiohttp.ClientSession, event: Event) -> bool:
        """Whether it was accepted."""
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
