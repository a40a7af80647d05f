"""The controls under /_sandbox, for tests. They answer the loopback only, unless open (`--open-controls`:
in a container, requests through a published port come from another address).

    GET    /_sandbox                 {"account", "now", "payment_intents", "refunds", "events", "owed"};
                                     "owed" is the number of webhooks that are not yet accepted
    GET    /_sandbox/movements       ?after=N: the movements of money after the first N, in order:
                                     {"movements": [...], "total"} (see `objects.Movement`)
    GET    /_sandbox/faults          the planned faults, and how often each may still fire
    POST   /_sandbox/faults          plan one: {"kind": "lose_reply", "match": "POST .*/confirm",
                                     "times": 2}; the fields are those of `faults.Fault`; "times":
                                     null is unlimited, "probability": 0.1 is random
    DELETE /_sandbox/faults          remove all; ?seed=N resets the random numbers
    POST   /_sandbox/clock           {"advance": 604800}: advance the clock, and do what is due

An invalid request is answered 400 with {"error": "a sentence"}.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from sandbox.codec import encode_movement
from sandbox.faults import Faults, fault
from sandbox.sandbox import Sandbox

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """The handlers."""

    def __init__(self, sandbox: Sandbox, faults: Faults, *, is_open: bool = False) -> None:
        self._sandbox = sandbox
        self._faults = faults
        self._is_open = is_open

    def routes(self) -> list[web.RouteDef]:
        """The routes of the module's docstring."""
        return [
            web.get("/_sandbox", self._guarded(self._summary)),
            web.get("/_sandbox/movements", self._guarded(self._movements)),
            web.get("/_sandbox/faults", self._guarded(self._list_faults)),
            web.post("/_sandbox/faults", self._guarded(self._plan_fault)),
            web.delete("/_sandbox/faults", self._guarded(self._clear_faults)),
            web.post("/_sandbox/clock", self._guarded(self._clock)),
        ]

    async def _summary(self, _http: web.Request) -> web.Response:
        world = self._sandbox.world
        kinds = ("payment_intent", "refund", "event")
        return web.json_response(
            {
                "account": world.account,
                "now": self._sandbox.clock.now(),
                **{f"{kind}s": world.count(kind) for kind in kinds},
                "owed": len(self._sandbox.owed),
            }
        )

    async def _movements(self, http: web.Request) -> web.Response:
        after = int(http.query.get("after", "0"))
        await self._sandbox.ledger.wait_until_durable()
        movements = self._sandbox.world.movements
        shown = [encode_movement(movement) for movement in movements[max(after, 0) :]]
        return web.json_response({"movements": shown, "total": len(movements)})

    async def _list_faults(self, _http: web.Request) -> web.Response:
        shown = [
            {**asdict(plan), "kind": plan.kind.value, "times": left}
            for plan, left in self._faults.planned()
        ]
        return web.json_response({"faults": shown})

    async def _plan_fault(self, http: web.Request) -> web.Response:
        self._faults.plan(fault(await http.text()))
        return await self._list_faults(http)

    async def _clear_faults(self, http: web.Request) -> web.Response:
        seed = http.query.get("seed")
        self._faults.clear(None if seed is None else int(seed))
        return await self._list_faults(http)

    async def _clock(self, http: web.Request) -> web.Response:
        match json.loads(await http.text()):
            case {"advance": int(seconds)} if seconds >= 0:
                await self._sandbox.advance(seconds)
            case _:
                raise ValueError("advance is a number of seconds that is not negative")
        return await self._summary(http)

    def _guarded(self, handler: Handler) -> Handler:
        """The handler for the loopback only, unless open; its ValueError or TypeError becomes a 400."""

        async def guarded(http: web.Request) -> web.StreamResponse:
            if not (self._is_open or _is_local(http)):
                return web.json_response({"error": "only from the loopback"}, status=403)
            try:
                return await handler(http)
            except (ValueError, TypeError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return guarded


def _is_local(http: web.Request) -> bool:
    return http.remote is not None and ipaddress.ip_address(http.remote).is_loopback
