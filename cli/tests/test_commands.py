"""`oncepay customers` and `oncepay payments` against the running services."""

import json
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oncepay_cli.local.health import opener

if TYPE_CHECKING:
    from cli.tests.conftest import Home

NEW_PAYMENT = ("--amount", "42.00", "--currency", "EUR")


@pytest.fixture
def customer(oncepay: "Home") -> dict[str, Any]:
    """A customer of the test's own."""
    email = f"{uuid.uuid4()}@example.com"
    return oncepay.json("customers", "register", "--display-name=Grace Hopper", f"--email={email}")


def pay(oncepay: "Home", customer: dict[str, Any], card: str, *more: str) -> dict[str, Any]:
    who = f"--customer={customer['name']}"
    method = f"--payment-method={card}"
    return oncepay.json("payments", "create", who, *NEW_PAYMENT, method, *more)


def test_a_customer_is_registered_found_changed_deleted_and_brought_back(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    name = customer["name"]
    assert oncepay.json("customers", "get", name.removeprefix("customers/")) == customer
    found = oncepay.json("customers", "list", "--email", customer["email"].upper())
    assert found["customers"] == [customer]
    changed = oncepay.json(
        *("customers", "update", name, "--phone=+442071234567", "--state=BLOCKED"),
        *("--metadata=shelf=3=4", "--metadata=room=b"),
    )
    assert changed["phone"] == "+442071234567"
    assert changed["state"] == "BLOCKED"
    assert changed["metadata"] == {"shelf": "3=4", "room": "b"}
    assert changed["display_name"] == "Grace Hopper"
    cleared = oncepay.json("customers", "update", name, "--phone=", "--metadata=")
    assert "phone" not in cleared
    assert "metadata" not in cleared
    assert "delete_time" in oncepay.json("customers", "delete", name)
    assert "delete_time" not in oncepay.json("customers", "undelete", name)
    assert "display_name" not in oncepay.json("customers", "erase", name, "--yes")


def test_erasing_asks_first(oncepay: "Home", customer: dict[str, Any]) -> None:
    refused = oncepay.run("customers", "erase", customer["name"])
    assert refused.code == 1
    assert oncepay.json("customers", "get", customer["name"]) == customer


def test_a_refusal_names_field_and_rule(oncepay: "Home", customer: dict[str, Any]) -> None:
    taken = oncepay.run(
        "customers", "register", "--display-name=Another", f"--email={customer['email']}"
    )
    assert taken.code == 1
    assert "EMAIL_TAKEN, ALREADY_EXISTS" in taken.stderr
    assert customer["name"] in taken.stderr
    assert taken.stdout == ""
    empty = oncepay.run("customers", "register", "--display-name=", "--email=a@example.com")
    assert "display_name" in empty.stderr
    assert "INVALID_ARGUMENT" in empty.stderr


def test_an_update_of_nothing_is_refused(oncepay: "Home", customer: dict[str, Any]) -> None:
    for noun in ("customers", "payments"):
        nothing = oncepay.run(noun, "update", customer["name"])
        assert nothing.code == 1
        assert "Say what to change" in nothing.stderr


def test_a_payment_is_made_once_however_often_its_request_is_sent(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    same = f"--request-id={uuid.uuid4()}"
    first = pay(oncepay, customer, "pm_card_visa", same, "--reference", str(uuid.uuid4()))
    assert first["state"] == "SUCCEEDED"
    assert first["amount"] == {"currency_code": "EUR", "minor_units": "4200"}
    again = pay(oncepay, customer, "pm_card_visa", same, "--reference", first["reference"])
    assert again == first
    listed = oncepay.json("payments", "list", "--customer", customer["name"])
    assert listed["payments"] == [first]
    double_click = oncepay.run(
        *("payments", "create", "--customer", customer["name"], *NEW_PAYMENT),
        *("--payment-method=pm_card_visa", "--reference", first["reference"]),
    )
    assert double_click.code == 1
    assert "REFERENCE_TAKEN" in double_click.stderr


def test_a_request_id_is_made_and_shown_where_none_is_given(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    done = oncepay.run(
        *("payments", "create", "--customer", customer["name"], *NEW_PAYMENT),
        *("--payment-method=pm_card_visa", "--json"),
    )
    assert done.code == 0
    title, made = done.stderr.split()
    assert title == "request_id"
    assert uuid.UUID(made)
    assert json.loads(done.stdout)["state"] == "SUCCEEDED"


def test_a_decline_is_a_failed_payment_and_can_be_deleted(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    failed = pay(oncepay, customer, "pm_card_chargeDeclined")
    assert failed["state"] == "FAILED"
    assert failed["failure"]["code"] == "card_declined"
    name = failed["name"]
    assert "delete_time" in oncepay.json("payments", "delete", name)
    assert "delete_time" not in oncepay.json("payments", "undelete", name)


def test_held_money_is_captured_in_part_or_let_go(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    held = pay(oncepay, customer, "pm_card_visa", "--capture=manual")
    assert held["state"] == "AUTHORIZED"
    captured = oncepay.json("payments", "capture", held["name"], "--amount=12.5")
    assert captured["state"] == "SUCCEEDED"
    assert captured["amount_captured"]["minor_units"] == "1250"
    other = pay(oncepay, customer, "pm_card_visa", "--capture=manual")
    assert oncepay.json("payments", "cancel", other["name"])["state"] == "CANCELED"


def test_money_goes_back_in_parts_and_never_more_than_was_taken(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    part = oncepay.json("payments", "refund", name, "--amount=2", "--reason=DUPLICATE")
    assert part["amount"]["minor_units"] == "200"
    too_much = oncepay.run("payments", "refund", name, "--amount=40.01")
    assert too_much.code == 1
    assert "AMOUNT_TOO_LARGE" in too_much.stderr
    rest = oncepay.json("payments", "refund", name)
    assert rest["amount"]["minor_units"] == "4000"
    listed = oncepay.json("payments", "refunds", name)["refunds"]
    assert [refund["name"] for refund in listed] == [rest["name"], part["name"]]


def test_a_payment_is_described_later(oncepay: "Home", customer: dict[str, Any]) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    changed = oncepay.json("payments", "update", name, "--description=Two books")
    assert changed["description"] == "Two books"
    stale = oncepay.run("payments", "update", name, "--description=Three", '--etag="0"')
    assert "ABORTED" in stale.stderr


def test_a_payment_that_is_not_held_is_not_released(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    refused = oncepay.run("payments", "release", name, "--note=looked at it")
    assert refused.code == 1
    assert "FAILED_PRECONDITION" in refused.stderr


def test_events_are_listed_and_watched(oncepay: "Home", customer: dict[str, Any]) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    listed = oncepay.json("payments", "events", name)["payment_events"]
    assert [event["type"] for event in listed] == ["payment.created", "payment.succeeded"]
    watching = subprocess.Popen(
        [
            *(sys.executable, "-m", "oncepay_cli", "payments", "watch", name, "--json"),
            *("--cursor", listed[0]["cursor"]),
        ],
        env=oncepay.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["type"] == "payment.succeeded"
    oncepay.json("payments", "update", name, "--description=Two books")
    assert json.loads(watching.stdout.readline())["type"] == "payment.updated"
    watching.send_signal(2)
    watching.communicate(timeout=30)
    assert watching.returncode == 0


def test_a_page_says_how_to_get_the_next(oncepay: "Home", customer: dict[str, Any]) -> None:
    first, second = (pay(oncepay, customer, "pm_card_visa") for _ in range(2))
    mine = ("payments", "list", "--customer", customer["name"], "--page-size=1", "--oldest-first")
    page = oncepay.run(*mine)
    line, more = page.stdout.splitlines()
    assert line.split("\t")[:3] == [first["name"], "SUCCEEDED", "EUR 42.00"]
    token = more.rpartition(" ")[2]
    rest = oncepay.json(*mine, "--page-token", token)
    assert [payment["name"] for payment in rest["payments"]] == [second["name"]]


def test_what_is_shown_without_json_is_a_line_a_field(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    shown = oncepay.run("customers", "get", customer["name"]).stdout.splitlines()
    assert shown[0] == f"name: {customer['name']}"
    assert f"email: {customer['email']}" in shown


def test_3d_secure_is_taken_to_its_end_on_the_page_that_create_shows(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    back = f"http://127.0.0.1:{oncepay.ports['sandbox']}/_sandbox"
    asked = (
        *("payments", "create", f"--customer={customer['name']}", *NEW_PAYMENT),
        *("--payment-method", "pm_card_threeDSecure2Required"),
    )
    made = oncepay.run(*asked, "--return-url", back).stdout
    assert "approve or decline in a browser" in made
    (page,) = [line.strip() for line in made.splitlines() if line.startswith("  http")]
    with opener.open(page, data=b"answer=approve", timeout=30) as shop:  # as the button does
        assert shop.url.startswith(back)
        assert "redirect_status=succeeded" in shop.url
    name = made.split()[-1]
    until = time.monotonic() + 60
    while oncepay.json("payments", "get", name)["state"] != "SUCCEEDED":
        assert time.monotonic() < until
        time.sleep(0.05)

    assert "with --return-url" in oncepay.run(*asked).stdout
