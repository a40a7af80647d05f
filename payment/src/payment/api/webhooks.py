"""Webhooks in: HTTP on a port of its own, where Stripe tells us that something happened.

    POST /webhooks/stripe   200  taken, or of no use to us: Stripe need not send it again
                            400  not signed by Stripe, not signed about now, or no event
                            413  larger than any event
                            503  as much is under way as may be, or the database is away

The body is never believed: it is a hint to ask (payment.service_layer.webhook_notifications). Every part is bounded,
since strangers reach this port: a flood costs itself its answers, and not the payments theirs.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from chassis.database_errors import is_database_away
from chassis.server import ListenError
from chassis.telemetry import log
from payment.domain.webhook_notification import ForgedWebhook, UnreadableWebhook
from payment.service_layer.ports import WebhookReader
from payment.service_layer.webhook_notifications import RecordNotification

PATH = "/webhooks/stripe"
MAX_BODY_BYTES = 256 * 1024
"""Bytes. Stripe's events have a few thousand; of a larger one no more than this is read."""
MAX_CONNECTIONS = 256
"""More are closed as they come."""
MAX_CONCURRENT_REQUESTS = 32
"""Requests in hand. Stripe sends what was not taken again, for three days."""
MAX_CONCURRENT_WRITES = 2
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
    """The HTTP endpoint of webhooks. `reader`: None where nobody could be believed."""

    def __init__(self, record: RecordNotification, reader: WebhookReader | None) -> None:
        self._record = record
        self._reader = reader
        self._in_hand = 0
        self._storing = asyncio.Semaphore(MAX_CONCURRENT_WRITES)
        self._refusals = RejectionLog()

    @asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[str]:
        """Listens until the block ends, and then lets finish what is in hand. Gives the address;
        without a secret nobody could be believed, so that nothing is listened to.

        Raises:
            ListenError: the address cannot be listened on.
        """
        if self._reader is None:
            log.info("webhooks_off")
            yield ""
            return
        application = web.Application(client_max_size=MAX_BODY_BYTES)
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
            return serve() if len(serve.connections) < MAX_CONNECTIONS else NoRoom()

        try:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(connect, host.strip("[]"), int(port))
        except (OSError, OverflowError, ValueError):
            await runner.cleanup()
            raise ListenError(
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
        if self._in_hand >= MAX_CONCURRENT_REQUESTS:
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
        assert self._reader is not None, "without one nothing is listened to"  # noqa: S101
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except (web.RequestPayloadError, ConnectionError):
            return HTTPStatus.BAD_REQUEST  # it broke off: nobody is there to read this
        try:
            notification = self._reader.read(body, request.headers)
            if notification is not None:
                async with self._storing:
                    await self._record(notification)
        except ForgedWebhook as error:
            self._refusals.tell("webhook_forged", str(error))
            return HTTPStatus.BAD_REQUEST
        except UnreadableWebhook as error:
            self._refusals.tell("webhook_unreadable", str(error))
            return HTTPStatus.BAD_REQUEST
        except Exception as error:  # noqa: BLE001 - whatever it is, Stripe sends it again
            if is_database_away(error):
                self._refusals.tell("webhook_awaits_database", type(error).__name__)
            else:
                log.error("webhook_failed", exc_info=error)
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK


class RejectionLog:
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
