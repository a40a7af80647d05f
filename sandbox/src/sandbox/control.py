"""The controls, under /_sandbox: for tests, chaos and oracles. Answered on the loopback only, unless open
(`--open-controls`: in a container, what comes through a published port comes from elsewhere).

    GET    /_sandbox                 {"account", "now", "payment_intents", "refunds", "events", "owed"}
    GET    /_sandbox/movements       ?after=N: the movements of money behind the first N, in order:
                                     {"movements": [...], "total"} (`objects.Movement` has the kinds)
    GET    /_sandbox/faults          what is planned, and how often each may still fire
    POST   /_sandbox/faults          plan one: {"kind": "lose_reply", "match": "POST .*/confirm",
                                     "times": 2}; the fields are those of `faults.Fault`; "times":
                                     null is for ever, "probability": 0.1 is by chance
    DELETE /_sandbox/faults          forget all; ?seed=N begins the chance anew
    POST   /_sandbox/clock           {"advance": 604800}: put the clock forward, and do what is due

What is wrong is answered 400 with {"error": "a sentence"}.
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
        """What the module's docstring lists."""
        return [
            web.get("/_sandbox", self._guarded(self._summary)),
            web.get("/_sandbox/movements", self._guarded(self._movements)),
            web.get("/_sandbox/faults", self._guarded(self._planned)),
            web.post("/_sandbox/faults", self._guarded(self._plan)),
            web.delete("/_sandbox/faults", self._guarded(self._forget)),
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
        await self._sandbox.ledger.durable()
        movements = self._sandbox.world.movements
        shown = [encode_movement(one) for one in movements[max(after, 0) :]]
        return web.json_response({"movements": shown, "total": len(movements)})

    async def _planned(self, _http: web.Request) -> web.Response:
        shown = [
            {**asdict(plan), "kind": plan.kind.value, "times": left}
            for plan, left in self._faults.planned()
        ]
        return web.json_response({"faults": shown})

    async def _plan(self, http: web.Request) -> web.Response:
        self._faults.plan(fault(await http.text()))
        return await self._planned(http)

    async def _forget(self, http: web.Request) -> web.Response:
        seed = http.query.get("seed")
        self._faults.clear(None if seed is None else int(seed))
        return await self._planned(http)

    async def _clock(self, http: web.Request) -> web.Response:
        match json.loads(await http.text()):
            case {"advance": int(seconds)} if seconds >= 0:
                await self._sandbox.advance(seconds)
            case _:
                raise ValueError("advance is a number of seconds, not negative")
        return await self._summary(http)

    def _guarded(self, handler: Handler) -> Handler:
        """Only from this machine, unless open; what the handler finds wrong becomes a 400."""

        async def guarded(http: web.Request) -> web.StreamResponse:
            if not (self._is_open or _is_local(http)):
                return web.json_response({"error": "only from the loopback"}, status=403)
            try:
                return await handler(http)
            except (ValueError, TypeError) as wrong:
                return web.json_response({"error": str(wrong)}, status=400)

        return guarded


def _is_local(http: web.Request) -> bool:
    return http.remote is not None and ipaddress.ip_address(http.remote).is_loopback
