"""The sandbox over HTTP: in this process, or as a process of its own; and the official library."""

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


@dataclass
class Running:
    """A sandbox in this process."""

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
async def library(url: str, key: str = "sk_test_any") -> AsyncIterator[stripe.StripeClient]:
    """The official library as a payments adapter uses it: no retries of its own."""
    http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=20))
    client = stripe.StripeClient(
        key, base_addresses={"api": url}, max_network_retries=0, http_client=http
    )
    try:
        yield client
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]


class Shop:
    """What a payments adapter does, in short words.

    Any: the library's types say of nearly every field that it may be absent, and take no fields that
    are wrong or not known. What tests look at is there in their story, and what they send may be wrong.
    """

    def __init__(self, client: stripe.StripeClient) -> None:
        self.client: Any = client
        self.intents: Any = client.v1.payment_intents
        self.refunds: Any = client.v1.refunds

    async def create(
        self, card: str | None = "pm_card_visa", key: str | None = None, **given: Any
    ) -> Any:
        wanted = {"amount": 1099, "currency": "usd", "payment_method": card, **CARD, **given}
        params = {name: value for name, value in wanted.items() if value is not None}
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
OpenShop = Callable[[str], AbstractAsyncContextManager[Shop]]
RunSandbox = Callable[..., AbstractAsyncContextManager[Running]]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as here:
        yield here


@pytest.fixture
async def shop(server: Running) -> AsyncIterator[Shop]:
    async with library(server.url) as client:
        yield Shop(client)


@pytest.fixture
async def web(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client, for what the library does not speak."""
    headers = {"Authorization": "Bearer sk_test_any"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        yield session


class Processes:
    """Sandboxes as processes, all ended with the test."""

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
        """A process that listens, and its address."""
        process = self.start(*options)
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert "listens on" in line, process.stderr.read()
        return process, line.split()[-1]

    async def kill(self, process: subprocess.Popen[str]) -> None:
        """As a power cut would, short of the disk."""
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    here = Processes(tmp_path)
    yield here
    for process in here.started:
        with process:
            process.kill()


@pytest.fixture
def open_library() -> OpenLibrary:
    return library


@pytest.fixture
def open_shop() -> OpenShop:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Shop]:
        async with library(url) as client:
            yield Shop(client)

    return opened


@pytest.fixture
def run_sandbox() -> RunSandbox:
    return running


@pytest.fixture
def eventually() -> Eventually:
    """Wait until something is so; fail where it does not come."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - whatever may become so, without its help
                await asyncio.sleep(0.01)

    return wait
