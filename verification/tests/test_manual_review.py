"""A held payment needs manual review: it is listed with the reason, and released with a note."""

import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from oncepay.payment.v1.payment_pb2 import Payment

from oncepay_cli.local import health
from oncepay_cli.local.installation import Installation
from verification.client import Client
from verification.waiting import wait_until

REASON = "captured 4000 minor units where 10000 were asked"
NOTE = "40 EUR were captured by hand, and that is right"
PROCESSOR_AWAY = {
    "kind": "refuse",
    "match": "GET /v1/payment_intents",
    "times": None,
    "status": 503,
}


@pytest.fixture
def client(stack: Installation) -> Client:
    return Client(stack.ports)


def oncepay(client: Client, *arguments: str) -> tuple[int, str]:
    """The exit code of an `oncepay` command, and its output."""
    address = f"127.0.0.1:{client.ports.payment}"
    done = subprocess.run(
        [sys.executable, "-m", "oncepay_cli", *arguments, "--payment-address", address],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def capture_at_the_processor(client: Client, payment: Payment, amount: int) -> None:
    """Capture by hand, as in the processor's own dashboard, past Payment."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{client.ports.sandbox}/v1/payment_intents/{payment.processor_id}/capture",
        data=urllib.parse.urlencode({"amount_to_capture": amount}).encode(),
        headers={"Authorization": "Bearer sk_test_by_hand"},
        method="POST",
    )
    health.opener.open(request, timeout=60).close()


def held_payment(client: Client) -> Payment:
    """A whole capture was asked for while the processor was away, and a part was captured by hand."""
    payment = client.pay(capture_method=Payment.MANUAL)
    with client.processor_faults(PROCESSOR_AWAY):
        assert client.capture(payment).state == Payment.PROCESSING
        capture_at_the_processor(client, payment, 4_000)
    wait_until(lambda: client.get(payment).HasField("held"), "it is not held")
    return payment


def test_a_held_payment_is_listed_with_its_reason_cannot_change_and_is_released_with_a_note(
    client: Client,
) -> None:
    payment = held_payment(client)
    code, listed = oncepay(client, "payments", "list", "--held")
    assert code == 0
    (line,) = [line for line in listed.splitlines() if payment.name in line]
    assert REASON in line
    code, refused = oncepay(client, "payments", "cancel", payment.name)
    assert code == 1
    assert REASON in refused
    assert "ReleasePayment" in refused
    code, released = oncepay(client, "payments", "release", payment.name, "--note", NOTE)
    assert code == 0, released
    assert "state: SUCCEEDED" in released
    assert "amount_captured: EUR 40.00" in released
    assert payment.name not in oncepay(client, "payments", "list", "--held")[1]
    assert [event.note for event in client.events(payment)][-2:] == [REASON, NOTE]
    assert client.money_moved(payment)["captured"] == [4_000]
