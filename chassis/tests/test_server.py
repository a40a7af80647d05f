"""The server as its clients see it: real servers, real channels, real signals."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from google.longrunning import operations_pb2  # noqa: F401 - its descriptor is shown
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from chassis import call, telemetry
from chassis.call_handling import CALL_ID, DEFAULT_SECONDS, MAX_CALL_SECONDS
from chassis.errors import status
from chassis.server import ListenError, Server
from chassis.values import InvalidValue

NAME = "google.longrunning.Operations"  # a service whose descriptor is at hand
SERVING, NOT_SERVING = 1, 2
SECRET = "alice@example.com"

RawMethod: TypeAlias = "aio.UnaryUnaryMultiCallable[bytes, bytes]"


class OutOfStockError(Exception):
    pass


class Echo:
    """A servicer that does what the request's text says."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.ended = asyncio.Event()
        self.seen: dict[str, Any] = {}

    async def reply(self, request: StringValue, _context: Any) -> StringValue:
        self.seen = {"id": call.call_id(), "left": call.remaining(99), "sent": call.metadata()}
        match request.value:
            case "wrong":
                raise InvalidValue("customer.email", "EMAIL", "it has no @")
            case "out of stock":
                raise OutOfStockError
            case "surprise":
                raise RuntimeError(f"secret {SECRET}")
            case "database":
                raise ConnectionRefusedError(f"connect to {SECRET}")
            case "wait":
                self.entered.set()
                try:
                    await self.release.wait()
                finally:
                    self.ended.set()
            case "abort":
                await _context.abort(grpc.StatusCode.DATA_LOSS, "lost")
            case "no message":
                return None  # type: ignore[return-value]
        return StringValue(value=request.value)

    async def stream(self, request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        self.seen = {"left": call.remaining(99)}
        try:
            for each in request.value.split():
                if each == "surprise":
                    raise RuntimeError(f"secret {SECRET}")
                yield StringValue(value=each)
            self.entered.set()
            if not request.value:
                await self.release.wait()
        finally:
            self.ended.set()


def add_echo(servicer: Echo, server: Any) -> None:
    reads, writes = StringValue.FromString, StringValue.SerializeToString
    handlers = {
        "Reply": grpc.unary_unary_rpc_method_handler(servicer.reply, reads, writes),
        "Stream": grpc.unary_stream_rpc_method_handler(servicer.stream, reads, writes),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    server.add_registered_method_handlers(NAME, handlers)


def translate(error: Exception) -> status_pb2.Status | None:
    if isinstance(error, OutOfStockError):
        return status(
            grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", "none left", domain="test"
        )
    return None


@contextlib.asynccontextmanager
async def running(*, ready: bool = True, drain_seconds: float = 30) -> AsyncIterator[Any]:
    server = Server(
        listen="127.0.0.1:0",
        names=(NAME,),
        domain="test",
        translate=translate,
        drain_seconds=drain_seconds,
    )
    async with server, aio.insecure_channel(f"ipv4:{server.address}") as channel:
        server.echo = Echo()  # type: ignore[attr-defined]
        if ready:
            server.add(add_echo, server.echo)  # type: ignore[attr-defined]
        yield server, channel, server.echo  # type: ignore[attr-defined]


def reply(channel: aio.Channel, text: str | bytes, **options: Any) -> Any:
    raw = text if isinstance(text, bytes) else StringValue(value=text).SerializeToString()
    method: RawMethod = channel.unary_unary(f"/{NAME}/Reply")
    return method(raw, **options)


def stream(channel: aio.Channel, text: str, **options: Any) -> Any:
    method = channel.unary_stream(
        f"/{NAME}/Stream", StringValue.SerializeToString, StringValue.FromString
    )
    return method(StringValue(value=text), **options)


async def refusal(running_call: Any) -> tuple[grpc.StatusCode, str, dict[str, Any]]:
    """The code, the message and the details by their name, of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as caught:
        await running_call
    told = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for packed in told.details if told else ():
        name = packed.TypeName().rpartition(".")[2]
        message = getattr(details, name)()
        packed.Unpack(message)
        found[name] = message
    return caught.value.code(), caught.value.details() or "", found


async def health(channel: aio.Channel, name: str) -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return int((await stub.Check(health_pb2.HealthCheckRequest(service=name))).status)


async def eventually(channel: aio.Channel, name: str, state: int) -> None:
    async with asyncio.timeout(10):
        while await health(channel, name) != state:  # noqa: ASYNC110 - over the wire
            await asyncio.sleep(0.02)


async def test_a_call_is_answered_and_returns_its_id() -> None:
    async with running() as (_, channel, echo):
        sent = (("x-request-id", "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"),)
        made = reply(channel, "hello", metadata=sent)
        assert StringValue.FromString(await made).value == "hello"
        assert ("x-request-id", sent[0][1]) in list(await made.trailing_metadata())
        assert echo.seen["id"] == sent[0][1]
        assert echo.seen["sent"] == sent


@pytest.mark.parametrize("given", [SECRET, "4242424242424242", "x" * 300, "anna-meyer-berlin"])
async def test_an_id_that_could_be_a_personal_detail_is_not_taken(given: str) -> None:
    async with running() as (_, channel, echo):
        await reply(channel, "hello", metadata=(("x-request-id", given),))
        assert echo.seen["id"] != given
        assert CALL_ID.fullmatch(echo.seen["id"])


async def test_a_wrong_value_is_invalid_argument_and_names_field_and_rule() -> None:
    async with running() as (_, channel, _echo):
        code, message, found = await refusal(reply(channel, "wrong"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message == "customer.email: it has no @"
    assert (found["ErrorInfo"].reason, found["ErrorInfo"].domain) == ("EMAIL", "test")
    (violation,) = found["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("customer.email", "EMAIL")
    assert violation.description == "it has no @"


async def test_a_domain_error_becomes_what_the_service_says() -> None:
    async with running() as (_, channel, _echo):
        code, message, found = await refusal(reply(channel, "out of stock"))
    assert (code, message) == (grpc.StatusCode.FAILED_PRECONDITION, "none left")
    assert found["ErrorInfo"].reason == "OUT_OF_STOCK"


@pytest.mark.parametrize("text", ["surprise", "no message"])
async def test_the_text_of_a_surprise_never_leaves_but_its_call_id_does(text: str) -> None:
    async with running() as (_, channel, echo):
        made = reply(channel, text)
        code, message, found = await refusal(made)
        kept = dict(await made.trailing_metadata())
    assert code is grpc.StatusCode.INTERNAL
    assert SECRET not in message + str(found) + str(kept)
    assert echo.seen["id"] in message
    assert found["ErrorInfo"].metadata["call_id"] == kept["x-request-id"] == echo.seen["id"]


async def test_a_database_that_is_away_is_unavailable_and_says_when_to_come_again() -> None:
    async with running() as (_, channel, _echo):
        code, message, found = await refusal(reply(channel, "database"))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert SECRET not in message
    assert found["ErrorInfo"].reason == "DATABASE_UNAVAILABLE"
    assert found["RetryInfo"].retry_delay.seconds == 1


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"])
async def test_bytes_that_do_not_parse_are_invalid_argument(raw: bytes) -> None:
    async with running() as (_, channel, _echo):
        code, message, found = await refusal(reply(channel, raw))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert found["ErrorInfo"].reason == "UNREADABLE"
    assert "0xff" not in message


async def test_a_request_over_256_kib_is_refused() -> None:
    async with running() as (_, channel, _echo):
        code, _, _ = await refusal(reply(channel, "x" * 300_000))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        await reply(channel, "x" * 200_000)


async def test_an_unknown_method_is_unimplemented() -> None:
    async with running() as (_, channel, _echo):
        code, _, _ = await refusal(channel.unary_unary(f"/{NAME}/Other")(b""))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        code, _, _ = await refusal(channel.unary_unary("/other.v1.Service/Reply")(b""))
        assert code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [(None, DEFAULT_SECONDS - 5, DEFAULT_SECONDS), (3, 0, 3.01), (900, 20, MAX_CALL_SECONDS)],
)
async def test_a_call_has_ten_seconds_unless_said_and_thirty_at_most(
    given: float | None, least: float, most: float
) -> None:
    async with running() as (_, channel, echo):
        await reply(channel, "hello", timeout=given)
        assert least < echo.seen["left"] <= most


async def test_a_call_out_of_time_is_deadline_exceeded_and_its_work_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.call_handling.DEFAULT_SECONDS", 0.05)
    async with running() as (_, channel, echo):
        code, _, found = await refusal(reply(channel, "wait"))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert found["ErrorInfo"].reason == "DEADLINE_EXCEEDED"
        await asyncio.wait_for(echo.ended.wait(), 5)


async def test_a_client_that_gives_up_cancels_the_work() -> None:
    async with running() as (_, channel, echo):
        made = reply(channel, "wait")
        await echo.entered.wait()
        made.cancel()
        await asyncio.wait_for(echo.ended.wait(), 5)


async def test_beyond_its_limit_the_server_takes_no_call_but_health(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.call_handling.MAX_CALLS", 1)
    async with running() as (_, channel, echo):
        first = reply(channel, "wait")
        await echo.entered.wait()
        code, _, found = await refusal(reply(channel, "hello"))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert found["ErrorInfo"].reason == "TOO_MANY_CALLS"
        assert await health(channel, "liveness") == SERVING
        echo.release.set()
        await first
        await reply(channel, "hello")


async def test_streams_leave_room_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.call_handling.MAX_STREAMS", 1)
    async with running() as (_, channel, echo):
        watching = stream(channel, "")
        await echo.entered.wait()
        code, _, found = await refusal(stream(channel, "one").read())
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert found["ErrorInfo"].reason == "TOO_MANY_CALLS"
        await reply(channel, "hello")
        watching.cancel()
        await asyncio.wait_for(echo.ended.wait(), 5)
        assert (await stream(channel, "one").read()).value == "one"


async def test_a_stream_is_delivered_and_has_no_deadline_of_ours() -> None:
    async with running() as (_, channel, echo):
        made = stream(channel, "one two three")
        assert [each.value async for each in made] == ["one", "two", "three"]
        assert echo.seen["left"] == 99
        assert "x-request-id" in dict(await made.trailing_metadata())


async def test_a_surprise_in_a_stream_does_not_leave() -> None:
    async with running() as (_, channel, _echo):
        made = stream(channel, "one surprise")
        assert (await made.read()).value == "one"
        code, message, _ = await refusal(made.read())
    assert code is grpc.StatusCode.INTERNAL
    assert SECRET not in message


async def test_a_stream_whose_client_leaves_is_closed() -> None:
    async with running() as (_, channel, echo):
        made = stream(channel, "")
        await echo.entered.wait()
        made.cancel()
        await asyncio.wait_for(echo.ended.wait(), 5)


async def test_before_its_database_answers_the_server_says_so_and_lives() -> None:
    async with running(ready=False) as (server, channel, echo):
        code, message, found = await refusal(reply(channel, "hello"))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "starts" in message
        assert found["RetryInfo"].retry_delay.seconds == 1
        assert await health(channel, "liveness") == SERVING
        for name in ("readiness", NAME, ""):
            assert await health(channel, name) == NOT_SERVING
        server.add(add_echo, echo)
        await reply(channel, "hello")


async def test_readiness_follows_the_database_both_ways_and_liveness_does_not() -> None:
    async with running() as (server, channel, _echo):
        ready = True
        server.ready_when(lambda: ready)
        for name in ("readiness", NAME, ""):
            await eventually(channel, name, SERVING)
        ready = False
        for name in ("readiness", NAME, ""):
            await eventually(channel, name, NOT_SERVING)
        assert await health(channel, "liveness") == SERVING
        ready = True
        await eventually(channel, "readiness", SERVING)


async def test_health_of_a_stranger_is_not_found() -> None:
    async with running() as (_, channel, _echo):
        code, _, _ = await refusal(health(channel, "other.v1.Service"))
        assert code is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_service_and_shows_its_file() -> None:
    async with running(ready=False) as (_, channel, _echo):
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME),
        ]
        listed, shown = [each async for each in stub.ServerReflectionInfo(iter(asked))]
    names = {each.name for each in listed.list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names
    assert shown.file_descriptor_response.file_descriptor_proto


async def test_a_second_server_on_the_same_port_is_refused_with_a_sentence() -> None:
    async with running() as (server, _, _echo):
        second = Server(
            listen=server.address, names=(), domain="test", translate=translate, drain_seconds=1
        )
        with pytest.raises(ListenError, match=r"another process has the port"):
            await second.__aenter__()


async def test_draining_turns_health_ends_streams_and_finishes_what_runs() -> None:
    async with running() as (server, channel, echo):
        server.ready_when(lambda: True)
        await eventually(channel, "readiness", SERVING)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watcher = stub.Watch(health_pb2.HealthCheckRequest(service="readiness"))
        assert (await watcher.read()).status == SERVING
        watched = stream(channel, "")
        await echo.entered.wait()
        echo.entered.clear()
        running_call = asyncio.ensure_future(reply(channel, "wait"))
        await echo.entered.wait()
        told = asyncio.Event()
        serving = asyncio.create_task(server.serve(on_stop=told.set))
        await asyncio.sleep(0)
        server.stop()
        assert (await watcher.read()).status == NOT_SERVING
        assert told.is_set()
        code, _, found = await refusal(watched.read())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert found["ErrorInfo"].reason == "DRAINING"
        # A call that is under way while the server shuts is cancelled by gRPC itself, before it
        # reaches us (grpc/grpc issue 41785); every later one finds nobody.
        code, _, _ = await refusal(reply(channel, "hello"))
        assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert not serving.done()
        echo.release.set()
        assert StringValue.FromString(await running_call).value == "wait"
        # The watcher of our health, which never ends by itself, does not hold the drain.
        await asyncio.wait_for(serving, 2)


async def test_a_drain_ends_within_its_time_whatever_runs() -> None:
    async with running(drain_seconds=0.1) as (server, channel, echo):
        made = reply(channel, "wait")
        await echo.entered.wait()
        serving = asyncio.create_task(server.serve())
        await asyncio.sleep(0)
        server.stop()
        await asyncio.wait_for(serving, 5)
        code, _, _ = await refusal(made)
        assert code is grpc.StatusCode.UNAVAILABLE


PROCESS = Path(__file__).with_name("drained_process.py")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("when", ["serving", "starting"])
async def test_a_signal_drains_a_real_process_and_it_exits_with_0(
    number: signal.Signals, when: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), when, stdout=-1, stderr=-1, env={**os.environ}
    )
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    async with aio.insecure_channel(f"ipv4:{address}") as channel:
        method: RawMethod = channel.unary_unary("/test.v1.Slow/Reply")
        running_call = None
        if when == "serving":
            await method(b"0")
            running_call = method(b"1")
            assert await asyncio.wait_for(process.stdout.readline(), 20) == b"entered\n"
        process.send_signal(number)
        if running_call is not None:
            assert await running_call == b"done"
        assert await asyncio.wait_for(process.wait(), 20) == 0, await process.communicate()


async def test_a_refused_start_is_one_sentence_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROCESS), "serving", str(port), stdout=-1, stderr=-1
        )
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert f"LISTEN_ADDRESS 127.0.0.1:{port} cannot be listened on".encode() in errors
    assert b"Traceback" not in errors


async def test_every_call_is_one_line_in_the_log_without_a_word_of_its_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as (_, channel, _echo):
        for text in ("surprise", "database", "wrong", SECRET):
            with contextlib.suppress(aio.AioRpcError):
                await reply(channel, text, metadata=(("x-request-id", SECRET),))
        with contextlib.suppress(aio.AioRpcError):
            await stream(channel, "one surprise").read()
    written = capsys.readouterr().err
    assert SECRET not in written
    lines = [json.loads(line) for line in written.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    codes = ["INTERNAL", "UNAVAILABLE", "INVALID_ARGUMENT", "OK", "INTERNAL"]
    assert [line["code"] for line in calls] == codes
    assert {line["method"] for line in calls} == {f"/{NAME}/Reply", f"/{NAME}/Stream"}
    assert all(line["ms"] >= 0 for line in calls)
    assert len({line["call"] for line in calls}) == 5
    failed = [line for line in lines if line["event"] == "call_failed"]
    assert [line["error"] for line in failed] == ["RuntimeError", "RuntimeError"]
    assert all("test_server.py:" in line["where"] for line in failed)


async def test_work_that_outlives_its_call_keeps_the_id_and_loses_the_deadline() -> None:
    async def look() -> tuple[str | None, float]:
        return call.call_id(), call.remaining(99)

    call.begin("abc", 0.5)
    assert call.remaining(99) <= 0.5
    assert call.remaining(0.1) == 0.1
    assert await asyncio.create_task(look(), context=call.detached()) == ("abc", 99)
    assert call.remaining(99) <= 0.5
    call.begin("abc", -1)
    assert call.remaining(99) == 0


async def test_an_error_in_the_translation_does_not_leave_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(error: Exception) -> status_pb2.Status | None:
        raise RuntimeError(f"cannot translate {SECRET}")

    async with running() as (server, channel, _echo):
        server._handling._translate = broken
        code, message, _ = await refusal(reply(channel, "out of stock"))
    assert code is grpc.StatusCode.INTERNAL
    assert SECRET not in message


async def test_a_long_deadline_is_cut_at_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.call_handling.MAX_CALL_SECONDS", 0.05)
    async with running() as (_, channel, echo):
        code, _, found = await refusal(reply(channel, "wait", timeout=60))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert found["ErrorInfo"].reason == "DEADLINE_EXCEEDED"
        await asyncio.wait_for(echo.ended.wait(), 5)


async def test_a_clients_own_deadline_ends_the_work_and_the_log_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as (_, channel, echo):
        code, _, _ = await refusal(reply(channel, "wait", timeout=0.2))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(echo.ended.wait(), 5)
    assert '"code":"DEADLINE_EXCEEDED"' in capsys.readouterr().err


async def test_a_servicer_that_aborts_after_all_is_answered_as_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as (_, channel, _echo):
        code, message, _ = await refusal(reply(channel, "abort"))
    assert (code, message) == (grpc.StatusCode.DATA_LOSS, "lost")
    assert '"code":"ABORTED_BY_SERVICER"' in capsys.readouterr().err


async def test_a_call_that_slips_in_while_the_drain_begins_is_not_taken() -> None:
    async with running() as (server, channel, _echo):
        server._handling.drain()
        for made in (reply(channel, "hello"), stream(channel, "").read()):
            code, _, found = await refusal(made)
            assert code is grpc.StatusCode.UNAVAILABLE
            assert found["ErrorInfo"].reason == "DRAINING"
