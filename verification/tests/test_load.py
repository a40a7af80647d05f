"""A load of clients and its audit: as a program of its own, as in a pod, on a stack of this machine."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation
from verification import load
from verification.audit import discrepancies
from verification.client import movements
from verification.load import Observations
from verification.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture(scope="module")
def observed(stack: Installation) -> Observations:
    """What the program printed when it was terminated, after some payments."""
    before = len(movements(stack.ports.sandbox))
    targets = {
        "CUSTOMER_TARGET": f"ipv4:{HOST}:{stack.ports.customer}",
        "PAYMENT_TARGET": f"ipv4:{HOST}:{stack.ports.payment}",
    }
    with subprocess.Popen(
        [sys.executable, str(load.__file__)], env=os.environ | targets, stdout=subprocess.PIPE
    ) as program:
        try:
            wait_until(
                lambda: len(movements(stack.ports.sandbox)) >= before + 10,
                "the clients do not pay",
            )
        finally:
            program.send_signal(signal.SIGTERM)
        printed, _ = program.communicate(timeout=PATIENCE_SECONDS)
    return Observations(**json.loads(printed))


def test_every_call_of_the_load_is_answered_and_every_payment_is_right(
    stack: Installation, observed: Observations
) -> None:
    assert len(observed.payments) >= 10
    assert observed.given_up == []
    assert discrepancies(stack.ports, observed) == []


def test_the_audit_finds_a_payment_that_is_not_listed(
    stack: Installation, observed: Observations
) -> None:
    lost = "payments/01939c5e-0000-7000-8000-000000000000"
    answered = replace(observed, payments=[*observed.payments, lost])
    assert discrepancies(stack.ports, answered) == [f"{lost} is not listed"]


def test_the_audit_finds_a_payment_that_nobody_was_answered_with(
    stack: Installation, observed: Observations
) -> None:
    first, *others = observed.payments
    answered = replace(observed, payments=others)
    assert discrepancies(stack.ports, answered) == [f"{first} was not answered"]
