"""`python -m payment reconcile` as a process, beside the running service: its report, its exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from commands import compared, ended, intents_of, refund_in_the_dashboard
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from whole_service import WholeService, whole_service

from payment.reconciliation.comparison import Kind

KWD = pb.Money(minor_units=12340, currency_code="KWD")


async def a_day(service: WholeService) -> None:
    """Something of everything."""
    paid = await service.pay(reference="order-1")
    await service.stub.CreateRefund(
        service_pb.CreateRefundRequest(
            parent=paid.name,
            request_id=str(uuid4()),
            refund=pb.Refund(amount=pb.Money(minor_units=250, currency_code="EUR")),
        )
    )
    await service.pay(amount=KWD)
    await service.pay(payment_method="pm_card_visa_chargeDeclined")
    held = await service.pay(capture_method=pb.Payment.MANUAL)
    part = pb.Money(minor_units=700, currency_code="EUR")
    await service.stub.CapturePayment(
        service_pb.CapturePaymentRequest(name=held.name, amount=part, request_id=str(uuid4()))
    )
    await service.pay(capture_method=pb.Payment.MANUAL)


async def test_a_clean_day_agrees_while_the_service_runs_and_a_refund_of_somebody_elses_does_not(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    async with whole_service(payment_database, f"127.0.0.1:{free_port()}", tmp_path) as service:
        await a_day(service)
        paid = await service.pay()

        code, said, _ = await compared(
            payment_database, service.processor_address, "--since", "1h", "--json"
        )
        report = json.loads(said)
        assert (code, report["agree"], report["differences"]) == (0, True, [])
        sums = {each["currency_code"]: each for each in report["totals"]}
        assert (
            sums["EUR"]["ours"]
            == sums["EUR"]["processor"]
            == {
                "payments": 3,
                "charged": 2700,
                "refunds": 1,
                "refunded": 250,
            }
        )
        assert sums["KWD"]["processor"]["charged"] == 12340
        assert report["under_way"] == 1, "the hold"

        intent_id = (await intents_of(payment_database))[paid.name]
        await refund_in_the_dashboard(service.processor_address, intent_id, 400)
        code, said, told = await compared(
            payment_database, service.processor_address, "--since", "1h"
        )
        assert code == 1
        assert '"event":"books_differ"' in told
        assert "KWD 12.340" in said
        assert f"Refunded, and not by us: {paid.name}, intent {intent_id}, refund re_" in said
        assert "(nothing here, EUR 4.00 at the processor)." in said

        code, said, _ = await compared(
            payment_database, service.processor_address, "--since", "1h", "--json"
        )
        (found,) = json.loads(said)["differences"]
        assert (found["kind"], found["payment"]) == (Kind.REFUNDED_ELSEWHERE.value, paid.name)
        assert found["processor"] == {"minor_units": 400, "currency_code": "EUR"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--since"),
        (["--since", "yesterday"], "is no time"),
        (["--since", "2026-11-24", "--until", "2026-11-23"], "must be before"),
        (["--since", "1h", "--all"], "--all"),
    ],
)
async def test_what_it_does_not_understand_is_refused_with_its_own_exit_code(
    arguments: list[str], words: str
) -> None:
    code, said, told = await ended("reconcile", *arguments)
    assert (code, said) == (2, "")
    assert words in told


async def test_without_settings_nothing_is_compared() -> None:
    code, _, told = await ended("reconcile", "--since", "1h")
    assert code == 2
    assert "DATABASE_PASSWORD is not set" in told
