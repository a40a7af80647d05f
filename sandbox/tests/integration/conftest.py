"""Fixtures: the sandbox over HTTP, in this process or as a process, and Stripe's official library."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.application import application, listening
from sandbox.faults import Faults
from sandbox.sandbox import Sandbox
from sandbox.world import Rules

CARD = {"payment_method_types": ["card"]}
# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300


@dataclass
class Running:
    """A sandbox that listens in this process."""

    url: str
    sandbox: Sandbox
    faults: Faults


@asynccontextmanager
async def running(directory: Path, **given: Any) -> AsyncIterator[Running]:
    sandbox = Sandbox(directory, Rules(), **given)
    faults = Faults()
    runner, url = await listening(application(sandbox, faults), "127.0.0.1", 0)
    try:
        yield Running(url, sandbox, faults)
    finally:
        await runner.cleanup()
        await sandbox.close()


@asynccontextmanager
async def stripe_library(url: str, key: str = "sk_test_any") -> AsyncIterator[stripe.StripeClient]:
    """The official library as a payments adapter uses it: without the library's own retries."""
    http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=MAX_WAIT_SECONDS))
    client = stripe.StripeClient(
        key, base_addresses={"api": url}, max_network_retries=0, http_client=http
    )
    try:
        yield client
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]


class Client:
    """The calls of a payments adapter, with defaults.

    Any: the library declares nearly every field as optional and allows no invalid parameters, which tests
    send.
    """

    def __init__(self, library: stripe.StripeClient) -> None:
        self.library: Any = library
        self.intents: Any = library.v1.payment_intents
        self.refunds: Any = library.v1.refunds

    async def create(
        self, card: str | None = "pm_card_visa", key: str | None = None, **given: Any
    ) -> Any:
        fields = {"amount": 1099, "currency": "usd", "payment_method": card, **CARD, **given}
        params = {name: value for name, value in fields.items() if value is not None}
        return await self.intents.create_async(params, _with(key))

    async def confirm(self, name: str, key: str | None = None, **given: Any) -> Any:
        return await self.intents.confirm_async(name, given, _with(key))

    async def pay(self, card: str = "pm_card_visa", **given: Any) -> Any:
        return await self.confirm((await self.create(card, **given)).id)

    async def refund(self, intent: str, key: str | None = None, **given: Any) -> Any:
        return await self.refunds.create_async({"payment_intent": intent, **given}, _with(key))


def _with(key: str | None) -> stripe.RequestOptions:
    return {"idempotency_key": key} if key else {}


OpenLibrary = Callable[..., AbstractAsyncContextManager[stripe.StripeClient]]
OpenClient = Callable[[str], AbstractAsyncContextManager[Client]]
RunSandbox = Callable[..., AbstractAsyncContextManager[Running]]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    async with stripe_library(server.url) as library:
        yield Client(library)


@pytest.fixture
async def web(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client, for what the library does not support."""
    headers = {"Authorization": "Bearer sk_test_any"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        yield session


class Processes:
    """Sandboxes as processes; all are killed at the end of the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *options: str, port: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "sandbox", "--port", str(port), *options]
        process = subprocess.Popen(
            [*command, "--data", str(self.directory)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.started.append(process)
        return process

    def listen(self, *options: str) -> tuple[subprocess.Popen[str], str]:
        """Start a process; return it and its address once it listens."""
        process = self.start(*options)
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert "listens on" in line, process.stderr.read()
        return process, line.split()[-1]

    def wait_for_exit(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait until a process exits; returns its exit code and standard error."""
        code = process.wait(MAX_WAIT_SECONDS)
        assert process.stderr
        return code, process.stderr.read()

    async def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill it without a chance to clean up."""
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    for process in processes.started:
        with process:
            process.kill()


@pytest.fixture
def open_library() -> OpenLibrary:
    return stripe_library


@pytest.fixture
def open_client() -> OpenClient:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Client]:
        async with stripe_library(url) as library:
            yield Client(library)

    return opened


@pytest.fixture
def run_sandbox() -> RunSandbox:
    return running


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            while not condition():  # noqa: ASYNC110 - any condition, without an event
                await asyncio.sleep(0.01)

    return wait
