"""The endpoint of the processor's webhooks: HTTP on a port of its own.

    POST /webhooks/stripe   200  taken, or about nothing of ours: it need not be sent again
                            400  not signed by the processor, not signed now, or no event
                            413  larger than any event
                            503  too many requests in progress, or the database is away

The content is never believed: it is a reason to ask (payment.service_layer.record_notification). The
port is open to strangers, so every part is bounded. A flood of webhooks slows webhooks only.
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
from payment.service_layer.record_notification import RecordNotification

PATH = "/webhooks/stripe"
MAX_BODY_BYTES = 256 * 1024
"""Stripe's events have a few thousand; of a larger body no more than this is read."""
MAX_CONNECTIONS = 256
"""More are closed as they come."""
MAX_CONCURRENT_REQUESTS = 32
"""Stripe sends a webhook that was refused again, for three days."""
MAX_CONCURRENT_WRITES = 2
"""Requests that wait for the database: they use recovery's connections, which needs the others."""
REQUEST_SECONDS = 10.0
"""For one request, from its headers to its answer."""
IDLE_SECONDS = 15.0
"""How long a connection may be silent, or not end its headers."""
LOG_SECONDS = 10.0
"""How often each kind of refusal is logged, with its count."""
# aiohttp logs an error for a stranger's broken HTTP, and errors are alerts.
SILENT = logging.getLogger("payment.webhooks.http")
SILENT.disabled = True


class Webhooks:
    """The endpoint. `reader`: None where no signing secret is set."""

    def __init__(self, record: RecordNotification, reader: WebhookReader | None) -> None:
        self._record = record
        self._reader = reader
        self._in_progress = 0
        self._writes = asyncio.Semaphore(MAX_CONCURRENT_WRITES)
        self._refusals = RefusalLog()

    @asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[str]:
        """Listens until the block ends, then lets the requests in progress finish. Gives the address.
        Without a reader it does not listen: no webhook could be believed.

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
        assert serve is not None, "setup() made it"  # noqa: S101

        def connect() -> asyncio.Protocol:
            return serve() if len(serve.connections) < MAX_CONNECTIONS else ClosedAtOnce()

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
        status = HTTPStatus.SERVICE_UNAVAILABLE
        if self._in_progress < MAX_CONCURRENT_REQUESTS and self._reader is not None:
            self._in_progress += 1
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    status = await self._take(request, self._reader)
            except TimeoutError:
                pass
            finally:
                self._in_progress -= 1
        response = web.Response(status=status)
        if status is not HTTPStatus.OK:
            response.force_close()  # a refused sender has to connect again
        return response

    async def _take(self, request: web.Request, reader: WebhookReader) -> HTTPStatus:
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except (web.RequestPayloadError, ConnectionError):
            return HTTPStatus.BAD_REQUEST  # the body broke off
        try:
            notification = reader.read(body, request.headers)
            if notification is not None:
                async with self._writes:
                    await self._record(notification)
        except ForgedWebhook as error:
            self._refusals.add("webhook_forged", str(error))
            return HTTPStatus.BAD_REQUEST
        except UnreadableWebhook as error:
            self._refusals.add("webhook_unreadable", str(error))
            return HTTPStatus.BAD_REQUEST
        except Exception as error:  # noqa: BLE001 - whatever it is, Stripe sends the webhook again
            if is_database_away(error):
                self._refusals.add("webhook_awaits_database", type(error).__name__)
            else:
                log.error("webhook_failed", exc_info=error)
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK


class RefusalLog:
    """Logs what was refused: the first of each kind at once, then a line in ten seconds with their
    count, or strangers could fill the log. Nothing of a request is logged.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._silent_until: dict[str, float] = {}

    def add(self, event: str, reason: str) -> None:
        self._counts[event] += 1
        now = time.monotonic()
        if now >= self._silent_until.get(event, 0.0):
            log.warning(event, reason=reason, count=self._counts.pop(event))
            self._silent_until[event] = now + LOG_SECONDS


class ClosedAtOnce(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
