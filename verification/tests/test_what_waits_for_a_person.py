"""A payment that no rule may finish: held, seen with the reason in words, and released by a person."""

import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
from oncepay.payment.v1 import payment_service_pb2 as pb
from oncepay.payment.v1.payment_pb2 import Payment

from oncepay_cli.local.installation import Installation
from verification.shop import Shop, a_request_id

REASON = "captured 4000 minor units where 10000 were asked"
NOTE = "40 EUR were captured by hand, and that is right"


@pytest.fixture
def shop(house: Installation) -> Shop:
    return Shop(house)


def oncepay(shop: Shop, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it wrote."""
    address = f"127.0.0.1:{shop.house.ports.payment}"
    done = subprocess.run(
        [sys.executable, "-m", "oncepay_cli", *arguments, "--payment-address", address],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def capture_by_hand(shop: Shop, payment: Payment, amount: int) -> None:
    """As somebody does it in the processor's own pages, past us."""
    urllib.request.urlopen(
        urllib.request.Request(
            f"http://127.0.0.1:{shop.house.ports.sandbox}/v1/payment_intents"
            f"/{payment.processor_id}/capture",
            data=urllib.parse.urlencode({"amount_to_capture": amount}).encode(),
            headers={"Authorization": "Bearer sk_test_by_hand"},
            method="POST",
        ),
        timeout=10,
    ).close()


def held(shop: Shop) -> Payment:
    """Asked for whole, while the processor is away; captured in part by hand meanwhile."""
    payment = shop.pay(capture_method=Payment.MANUAL)
    asked = pb.CapturePaymentRequest(name=payment.name, request_id=a_request_id())
    away = {"kind": "refuse", "match": "GET /v1/payment_intents", "times": None, "status": 503}
    with shop.trouble(away):
        assert shop.payments.CapturePayment(asked).state == Payment.PROCESSING
        capture_by_hand(shop, payment, 4_000)
    until = time.monotonic() + 60
    while not shop.get(payment).HasField("held"):
        assert time.monotonic() < until
        time.sleep(0.1)
    return payment


def test_a_held_payment_is_listed_with_its_reason_goes_no_further_and_is_released_with_a_note(
    shop: Shop,
) -> None:
    payment = held(shop)
    code, listed = oncepay(shop, "payments", "list", "--held")
    assert code == 0
    (line,) = [line for line in listed.splitlines() if payment.name in line]
    assert REASON in line
    code, refused = oncepay(shop, "payments", "cancel", payment.name)
    assert code == 1
    assert REASON in refused
    assert "ReleasePayment" in refused
    code, released = oncepay(shop, "payments", "release", payment.name, "--note", NOTE)
    assert code == 0, released
    assert "state: SUCCEEDED" in released
    assert "amount_captured: EUR 40.00" in released
    assert payment.name not in oncepay(shop, "payments", "list", "--held")[1]
    assert [event.note for event in shop.events(payment)][-2:] == [REASON, NOTE]
    assert shop.moved(payment)["captured"] == [4_000]
