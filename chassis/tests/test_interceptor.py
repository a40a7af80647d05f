"""What surrounds every call, as clients see it: ids, deadlines, errors, limits, logs."""

import asyncio
import contextlib
import json

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import status_pb2
from grpc import aio

from chassis import call, telemetry
from chassis.interceptor import DEFAULT_CALL_SECONDS, MAX_CALL_SECONDS, VALID_CALL_ID

from .echo_server import NAME, PERSONAL, SERVING, RawMethod, failure, running


async def test_a_call_is_answered_and_its_id_is_returned() -> None:
    async with running() as at:
        sent = (("x-request-id", "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"),)
        made = at.reply("hello", metadata=sent)
        assert StringValue.FromString(await made).value == "hello"
        assert sent[0] in list(await made.trailing_metadata())
        assert at.echo.observed["id"] == sent[0][1]
        assert at.echo.observed["sent"] == sent


@pytest.mark.parametrize("given", [PERSONAL, "4242424242424242", "x" * 300, "anna-meyer-berlin"])
async def test_a_call_id_that_could_be_a_personal_detail_is_replaced(given: str) -> None:
    async with running() as at:
        await at.reply("hello", metadata=(("x-request-id", given),))
        assert at.echo.observed["id"] != given
        assert VALID_CALL_ID.fullmatch(at.echo.observed["id"])


async def test_an_invalid_value_is_invalid_argument_with_its_field_and_rule() -> None:
    async with running() as at:
        error = await failure(at.reply("invalid"))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.message == "customer.email: it has no @"
    assert (error.reason, error.details["ErrorInfo"].domain) == ("EMAIL", "test")
    (violation,) = error.details["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("customer.email", "EMAIL")
    assert violation.description == "it has no @"


async def test_an_error_of_the_service_becomes_what_its_table_says() -> None:
    async with running() as at:
        error = await failure(at.reply("out of stock"))
    assert (error.code, error.message) == (grpc.StatusCode.FAILED_PRECONDITION, "none left")
    assert error.reason == "OUT_OF_STOCK"


@pytest.mark.parametrize("text", ["unexpected", "no message"])
async def test_of_an_unexpected_error_callers_get_the_call_id_and_no_text(text: str) -> None:
    async with running() as at:
        made = at.reply(text)
        error = await failure(made)
        trailing = dict(await made.trailing_metadata())
    assert error.code is grpc.StatusCode.INTERNAL
    assert PERSONAL not in error.message + str(error.details) + str(trailing)
    assert at.echo.observed["id"] in error.message
    call_id = error.details["ErrorInfo"].metadata["call_id"]
    assert call_id == trailing["x-request-id"] == at.echo.observed["id"]


async def test_a_call_without_an_answer_of_the_database_is_unavailable_and_says_when_to_repeat() -> (
    None
):
    async with running() as at:
        error = await failure(at.reply("database"))
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert PERSONAL not in error.message
    assert error.reason == "DATABASE_UNAVAILABLE"
    assert error.details["RetryInfo"].retry_delay.seconds == 1


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"])
async def test_bytes_that_do_not_parse_are_invalid_argument(raw: bytes) -> None:
    async with running() as at:
        error = await failure(at.reply(raw))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "UNREADABLE"
    assert "0xff" not in error.message


async def test_a_request_over_256_kib_is_refused() -> None:
    async with running() as at:
        error = await failure(at.reply("x" * 300_000))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        await at.reply("x" * 200_000)


async def test_an_unknown_method_is_unimplemented() -> None:
    async with running() as at:
        for method in (f"/{NAME}/Other", "/other.v1.Service/Reply"):
            unknown: RawMethod = at.channel.unary_unary(method)
            error = await failure(unknown(b""))
            assert error.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        (None, DEFAULT_CALL_SECONDS - 5, DEFAULT_CALL_SECONDS),
        (3, 0, 3.01),
        (900, 20, MAX_CALL_SECONDS),
    ],
)
async def test_a_call_has_ten_seconds_unless_its_client_says_otherwise_and_thirty_at_most(
    given: float | None, least: float, most: float
) -> None:
    async with running() as at:
        await at.reply("hello", timeout=given)
        assert least < at.echo.observed["left"] <= most


async def test_a_call_out_of_time_is_deadline_exceeded_and_its_work_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.interceptor.DEFAULT_CALL_SECONDS", 0.05)
    async with running() as at:
        error = await failure(at.reply("wait"))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.reason == "DEADLINE_EXCEEDED"
        await asyncio.wait_for(at.echo.ended.wait(), 5)


async def test_a_long_deadline_is_cut_at_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.interceptor.MAX_CALL_SECONDS", 0.05)
    async with running() as at:
        error = await failure(at.reply("wait", timeout=60))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.reason == "DEADLINE_EXCEEDED"
        await asyncio.wait_for(at.echo.ended.wait(), 5)


async def test_a_clients_own_deadline_ends_the_work_and_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as at:
        error = await failure(at.reply("wait", timeout=0.2))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(at.echo.ended.wait(), 5)
    assert '"code":"DEADLINE_EXCEEDED"' in capsys.readouterr().err


async def test_a_client_that_gives_up_cancels_the_work() -> None:
    async with running() as at:
        made = at.reply("wait")
        await at.echo.entered.wait()
        made.cancel()
        await asyncio.wait_for(at.echo.ended.wait(), 5)


async def test_beyond_its_limit_the_server_takes_no_call_but_health(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.interceptor.MAX_CALLS", 1)
    async with running() as at:
        first = at.reply("wait")
        await at.echo.entered.wait()
        error = await failure(at.reply("hello"))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.reason == "TOO_MANY_CALLS"
        assert await at.health("liveness") == SERVING
        at.echo.release.set()
        await first
        await at.reply("hello")


async def test_streams_leave_room_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.interceptor.MAX_STREAMS", 1)
    async with running() as at:
        first = at.stream("")
        await at.echo.entered.wait()
        error = await failure(at.stream("one").read())
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.reason == "TOO_MANY_CALLS"
        await at.reply("hello")
        first.cancel()
        await asyncio.wait_for(at.echo.ended.wait(), 5)
        assert (await at.stream("one").read()).value == "one"


async def test_a_stream_is_delivered_and_has_no_deadline_of_ours() -> None:
    async with running() as at:
        words = [message.value async for message in at.stream("one two three")]
        assert words == ["one", "two", "three"]
        assert at.echo.observed["left"] == 99


async def test_of_an_unexpected_error_in_a_stream_no_text_leaves() -> None:
    async with running() as at:
        made = at.stream("one unexpected")
        assert (await made.read()).value == "one"
        error = await failure(made.read())
    assert error.code is grpc.StatusCode.INTERNAL
    assert PERSONAL not in error.message


async def test_a_stream_whose_client_leaves_is_closed() -> None:
    async with running() as at:
        made = at.stream("")
        await at.echo.entered.wait()
        made.cancel()
        await asyncio.wait_for(at.echo.ended.wait(), 5)


async def test_every_call_is_one_line_in_the_log_without_its_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as at:
        for text in ("unexpected", "database", "invalid", PERSONAL):
            with contextlib.suppress(aio.AioRpcError):
                await at.reply(text, metadata=(("x-request-id", PERSONAL),))
        with contextlib.suppress(aio.AioRpcError):
            await at.stream("one unexpected").read()
    written = capsys.readouterr().err
    assert PERSONAL not in written
    lines = [json.loads(line) for line in written.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    codes = ["INTERNAL", "UNAVAILABLE", "INVALID_ARGUMENT", "OK", "INTERNAL"]
    assert [line["code"] for line in calls] == codes
    assert {line["method"] for line in calls} == {f"/{NAME}/Reply", f"/{NAME}/Stream"}
    assert all(line["ms"] >= 0 for line in calls)
    assert len({line["call"] for line in calls}) == 5
    failed = [line for line in lines if line["event"] == "call_failed"]
    assert [line["error"] for line in failed] == ["RuntimeError", "RuntimeError"]
    assert all("echo_server.py:" in line["where"] for line in failed)


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


async def test_of_an_error_in_the_translation_no_text_leaves_either() -> None:
    def broken(error: Exception) -> status_pb2.Status | None:
        raise RuntimeError(f"cannot translate {PERSONAL}")

    async with running() as at:
        at.server._interceptor._translate = broken
        error = await failure(at.reply("out of stock"))
    assert error.code is grpc.StatusCode.INTERNAL
    assert PERSONAL not in error.message


async def test_a_servicer_that_aborts_is_answered_as_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("guest", "json")
    async with running() as at:
        error = await failure(at.reply("abort"))
    assert (error.code, error.message) == (grpc.StatusCode.DATA_LOSS, "lost")
    assert '"code":"ABORTED_BY_SERVICER"' in capsys.readouterr().err


async def test_a_call_that_arrives_while_the_drain_begins_is_not_taken() -> None:
    async with running() as at:
        at.server._interceptor.drain()
        for made in (at.reply("hello"), at.stream("").read()):
            error = await failure(made)
            assert error.code is grpc.StatusCode.UNAVAILABLE
            assert error.reason == "DRAINING"
