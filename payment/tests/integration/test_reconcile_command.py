"""`python -m payment reconcile` as a process, beside the running service: report and exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from structlog.testing import capture_logs
from support.commands import Result, intent_ids, reconcile, refund_in_dashboard, run_command
from support.running_service import RunningService, running_service

from payment.reconciliation import sources
from payment.reconciliation.command import ExitCode, run


def euros(minor_units: int) -> pb.Money:
    return pb.Money(minor_units=minor_units, currency_code="EUR")


async def create_payments(service: RunningService) -> None:
    """Payments in two currencies: refunded, declined, captured in part, authorized."""
    refunded = await service.pay(reference="order-1")
    await service.stub.CreateRefund(
        service_pb.CreateRefundRequest(
            parent=refunded.name, request_id=str(uuid4()), refund=pb.Refund(amount=euros(250))
        )
    )
    await service.pay(amount=pb.Money(minor_units=12340, currency_code="KWD"))
    await service.pay(payment_method="pm_card_visa_chargeDeclined")
    authorized = await service.pay(capture_method=pb.Payment.MANUAL)
    await service.stub.CapturePayment(
        service_pb.CapturePaymentRequest(
            name=authorized.name, amount=euros(700), request_id=str(uuid4())
        )
    )
    await service.pay(capture_method=pb.Payment.MANUAL)


def events(result: Result) -> list[str]:
    """The events of a command's log."""
    return [json.loads(line)["event"] for line in result.log.splitlines()]


async def test_the_report_of_a_running_service_without_and_with_a_difference(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    async with running_service(payment_database, f"127.0.0.1:{free_port()}", tmp_path) as service:
        processor_address = service.processor_address

        # given payments that both sides agree on
        await create_payments(service)
        paid = await service.pay()

        # then the report has no difference, and the same totals on both sides
        result = await reconcile(payment_database, processor_address, "--since", "1h", "--json")
        report = json.loads(result.output)
        assert result.exit_code == ExitCode.NO_DIFFERENCES
        assert (report["agree"], report["differences"]) == (True, [])
        totals = {each["currency_code"]: each for each in report["totals"]}
        assert totals["EUR"]["internal"] == totals["EUR"]["processor"]
        assert totals["EUR"]["internal"] == {
            "payments": 3,
            "charged": 2700,
            "refunds": 1,
            "refunded": 250,
        }
        assert totals["KWD"]["processor"]["charged"] == 12340
        assert report["in_progress"] == 1, "the payment that is authorized"

        # when one is refunded without the service
        intent_id = (await intent_ids(payment_database))[paid.name]
        await refund_in_dashboard(processor_address, intent_id, 400)

        # then it is a difference, as text
        result = await reconcile(payment_database, processor_address, "--since", "1h")
        assert result.exit_code == ExitCode.DIFFERENCES
        assert "reconciliation_differences" in events(result)
        assert "KWD 12.340" in result.output
        names = f"{paid.name}, intent {intent_id}, refund re_"
        assert f"Refunded outside Oncepay: {names}" in result.output
        assert "(internal: nothing, processor: EUR 4.00)." in result.output

        # and as JSON
        result = await reconcile(payment_database, processor_address, "--since", "1h", "--json")
        (difference,) = json.loads(result.output)["differences"]
        assert (difference["kind"], difference["payment"]) == ("REFUNDED_ELSEWHERE", paid.name)
        assert difference["processor_amount"] == {"minor_units": 400, "currency_code": "EUR"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--since"),
        (["--since", "yesterday"], "is no time"),
        (["--since", "2026-11-24", "--until", "2026-11-23"], "must be before"),
        (["--since", "1h", "--all"], "--all"),
        (["--since", "1h"], "DATABASE_PASSWORD is not set"),
    ],
)
async def test_with_wrong_arguments_or_settings_nothing_is_compared(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as lines:
        exit_code = await run(arguments, {})

    assert (exit_code, capsys.readouterr().out) == (ExitCode.NOT_COMPARED, "")
    (alert,) = lines
    assert (alert["event"], alert["log_level"]) == ("reconciliation_failed", "error")
    assert reason in alert["reason"]


async def test_the_process_ends_with_the_exit_code_and_logs_the_alert() -> None:
    result = await run_command("reconcile", "--since", "yesterday")

    assert (result.exit_code, result.output) == (ExitCode.NOT_COMPARED, "")
    assert events(result) == ["reconciliation_failed"]


async def test_without_a_reply_of_the_processor_nothing_is_compared(
    payment_database: Any,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sources, "MAX_TRIES", 1)
    environment = {
        "DATABASE_URL": payment_database.url,
        "DATABASE_PASSWORD": payment_database.password,
        "STRIPE_API_KEY": "sk_test_any",
        "STRIPE_BASE_ADDRESS": f"http://127.0.0.1:{free_port()}",
        "LOG_FORMAT": "json",
    }
    exit_code = await run(["--since", "1h"], environment)

    output, log = capsys.readouterr()
    assert (exit_code, output) == (ExitCode.NOT_COMPARED, "")
    assert "the processor's listing cannot be had" in log
