"""Webhooks in: HTTP on a port of its own, where Stripe tells us that something happened.

    POST /webhooks/stripe   200  taken, or of no use to us: Stripe need not send it again
                            400  not signed by Stripe, not signed about now, or no event
                            413  larger than any event
                            503  as much is under way as may be, or the database is away

The body is never believed: it is a hint to ask (payment.service_layer.hints). Every part is bounded,
since strangers reach this port: a flood costs itself its answers, and not the payments theirs.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from chassis.errors import is_database_away
from chassis.server import ListenRefused
from chassis.telemetry import log
from payment.api.signature import NotSigned, verify
from payment.api.stripe_events import Unreadable, hint_in
from payment.service_layer.hints import TakeHint

PATH = "/webhooks/stripe"
LARGEST_BODY = 256 * 1024
"""Bytes. Stripe's events have a few thousand; of a larger one no more than this is read."""
MOST_CONNECTIONS = 256
"""More are closed as they come."""
AT_ONCE = 32
"""Requests in hand. Stripe sends what was not taken again, for three days."""
STORING_AT_ONCE = 2
"""Of them those that are with the database: over recovery's connections, which has the others."""
WITHIN_SECONDS = 10.0
"""For one request, from its headers to its answer."""
IDLE_SECONDS = 15.0
"""How long a connection may say nothing, or not end its headers."""
TELL_SECONDS = 10.0
"""How often the log tells of what is refused; how much it was stands there, too."""
# Of a stranger's broken HTTP aiohttp would log an error, which wakes people.
SILENT = logging.getLogger("payment.webhooks.http")
SILENT.disabled = True


class Webhooks:
    """The endpoint. `secrets`: one, or two while they are rotated; `now`: the wall's clock."""

    def __init__(
        self, take: TakeHint, secrets: Sequence[str], now: Callable[[], float] = time.time
    ) -> None:
        self._take = take
        self._secrets = secrets
        self._now = now
        self._in_hand = 0
        self._storing = asyncio.Semaphore(STORING_AT_ONCE)
        self._refusals = Refusals()

    @asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[str]:
        """Listens until the block ends, and then lets finish what is in hand. Gives the address;
        without a secret nobody could be believed, so that nothing is listened to.

        Raises:
            ListenRefused: the address cannot be listened on.
        """
        if not self._secrets:
            log.info("webhooks_off")
            yield ""
            return
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_post(PATH, self.receive)
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=SILENT,
            handle_signals=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=1.0,
            auto_decompress=False,  # the signature is over the bytes as they came
            shutdown_timeout=2.0,
        )
        host, _, port = address.rpartition(":")
        await runner.setup()
        serve = runner.server
        assert serve is not None, "it was set up"  # noqa: S101

        def connect() -> asyncio.Protocol:
            return serve() if len(serve.connections) < MOST_CONNECTIONS else NoRoom()

        try:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(connect, host.strip("[]"), int(port))
        except (OSError, OverflowError, ValueError):
            await runner.cleanup()
            raise ListenRefused(
                f"WEBHOOK_LISTEN_ADDRESS {address} cannot be listened on: another process has the "
                "port, or the address is not this machine's. Stop the other one or choose another "
                "port."
            ) from None
        bound = f"{host}:{server.sockets[0].getsockname()[1]}"
        log.info("webhooks_listening", address=bound)
        try:
            yield bound
        finally:
            server.close()
            await runner.cleanup()

    async def receive(self, request: web.Request) -> web.Response:
        """Answers one webhook."""
        if self._in_hand >= AT_ONCE:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE)
        self._in_hand += 1
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return _answer(await self._take_in(request))
        except TimeoutError:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE)
        finally:
            self._in_hand -= 1

    async def _take_in(self, request: web.Request) -> HTTPStatus:
        if (request.content_length or 0) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except (web.RequestPayloadError, ConnectionError):
            return HTTPStatus.BAD_REQUEST  # it broke off: nobody is there to read this
        try:
            verify(body, request.headers.get("Stripe-Signature", ""), self._secrets, self._now())
            hint = hint_in(body)
            if hint is not None:
                async with self._storing:
                    await self._take(hint)
        except NotSigned as refused:
            self._refusals.tell("webhook_forged", refused.reason)
            return HTTPStatus.BAD_REQUEST
        except Unreadable as refused:
            self._refusals.tell("webhook_unreadable", str(refused))
            return HTTPStatus.BAD_REQUEST
        except Exception as error:  # noqa: BLE001 - whatever it is, Stripe sends it again
            if is_database_away(error):
                self._refusals.tell("webhook_awaits_database", type(error).__name__)
            else:
                log.error("webhook_failed", exc_info=error)
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK


class Refusals:
    """Warns of what was refused: the first at once, then of each kind no more than a line in ten
    seconds, for strangers could write a log full. Nothing of a request is told.
    """

    def __init__(self) -> None:
        self._untold: Counter[str] = Counter()
        self._quiet_until: dict[str, float] = {}

    def tell(self, event: str, reason: str) -> None:
        self._untold[event] += 1
        now = time.monotonic()
        if now >= self._quiet_until.get(event, 0.0):
            log.warning(event, reason=reason, count=self._untold.pop(event))
            self._quiet_until[event] = now + TELL_SECONDS


class NoRoom(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _answer(status: HTTPStatus) -> web.Response:
    answer = web.Response(status=status)
    if status is not HTTPStatus.OK:
        answer.force_close()  # a refused sender has to come anew, which costs it more than us
    return answer
