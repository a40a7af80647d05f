"""Logs: one line an event, known fields only, and no personal detail by any way."""

import json
import logging
from typing import Any

import pytest

from chassis import call, telemetry
from chassis.telemetry import log

PERSONAL = "alice@example.com"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Reads what was logged since it was last called."""
    telemetry.configure("guest", "json", "info", fields=("payment",))

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        assert PERSONAL not in captured.err
        return [json.loads(line) for line in captured.err.splitlines()]

    return read


def test_an_event_is_one_line_of_json_with_service_time_and_call(lines: Any) -> None:
    call.begin("abc-1", None)
    log.info("payment_moved", payment="payments/1\n", state="SUCCEEDED", ms=1.5)
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "event": "payment_moved",
        "service": "guest",
        "call": "abc-1",
        "payment": "payments/1\n",
        "state": "SUCCEEDED",
        "ms": 1.5,
    }


def test_of_a_field_that_is_not_on_the_list_only_the_name_is_logged(lines: Any) -> None:
    log.info("customer_created", email=PERSONAL, name=PERSONAL, state="ACTIVE")
    (line,) = lines()
    assert (line["omitted_fields"], line["state"]) == ("email,name", "ACTIVE")


def test_an_event_whose_name_is_a_sentence_loses_its_name(lines: Any) -> None:
    log.info(f"registered {PERSONAL}")
    (line,) = lines()
    assert line["event"] == "invalid_event_name"


def test_of_a_structured_value_only_the_type_is_logged_and_a_long_text_is_cut(lines: Any) -> None:
    log.info("event", state={"email": PERSONAL}, reason="x" * 9_000, payment=None)
    (line,) = lines()
    assert (line["state"], len(line["reason"]), line["payment"]) == ("dict", 2_000, None)


def test_an_exception_is_logged_by_class_and_place_without_its_text(lines: Any) -> None:
    def fail(email: str) -> None:
        try:
            raise KeyError(email)
        except KeyError as error:
            raise RuntimeError(f"no {email}") from error

    try:
        fail(PERSONAL)
    except RuntimeError as error:
        log.error("call_failed", exc_info=error)
    (line,) = lines()
    assert line["error"] == "RuntimeError < KeyError"
    assert "fail " in line["where"]
    assert "test_telemetry.py:" in line["where"]


def test_what_libraries_log_is_logged_without_their_texts(lines: Any) -> None:
    try:
        raise ValueError(PERSONAL)
    except ValueError:
        logging.getLogger("some.library").exception("could not reach %s", PERSONAL)
    logging.getLogger("some.library").warning(f"hello {PERSONAL}")  # noqa: G004 - libraries do this
    logging.getLogger("some.library").info("chatter")
    first, second = lines()
    assert (first["event"], first["logger"], first["error"]) == (
        "library_log",
        "some.library",
        "ValueError",
    )
    assert "test_what_libraries_log" in second["where"]


def test_levels_below_the_configured_one_are_not_logged(
    lines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    log.debug("detail")
    assert lines() == []
    telemetry.configure("guest", "json", "debug")
    log.debug("detail")
    assert [line["level"] for line in lines()] == ["debug"]


def test_a_terminal_gets_text_for_people_instead_of_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry.configure("guest", "auto")
    log.info("listening", address="127.0.0.1:1")
    assert json.loads(capsys.readouterr().err)["address"] == "127.0.0.1:1"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    telemetry.configure("guest", "auto")
    log.info("listening", address="127.0.0.1:1")
    shown = capsys.readouterr().err
    assert "listening" in shown
    assert not shown.startswith("{")


def test_a_log_that_cannot_be_written_raises_nothing(
    lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_text: str) -> int:
        raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr.write", broken)
        log.info("listening")
    assert lines() == []
