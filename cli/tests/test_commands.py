"""Every command while everything is up: `customers`, `payments`, `demo`, `reconcile`, a second `up`."""

import json
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oncepay_cli.local.health import opener

if TYPE_CHECKING:
    from cli.tests.conftest import Home, Running

# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300
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


def test_a_customer_is_registered_found_updated_deleted_restored_and_erased(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    name = customer["name"]
    assert oncepay.json("customers", "get", name.removeprefix("customers/")) == customer
    found = oncepay.json("customers", "list", "--email", customer["email"].upper())
    assert found["customers"] == [customer]
    changed = oncepay.json(
        *("customers", "update", name, "--phone=+442071234567", "--state=BLOCKED"),
        *("--metadata=formula=a=b", "--metadata=tier=gold"),
    )
    assert changed["phone"] == "+442071234567"
    assert changed["state"] == "BLOCKED"
    assert changed["metadata"] == {"formula": "a=b", "tier": "gold"}
    assert changed["display_name"] == "Grace Hopper"
    cleared = oncepay.json("customers", "update", name, "--phone=", "--metadata=")
    assert "phone" not in cleared
    assert "metadata" not in cleared
    assert "delete_time" in oncepay.json("customers", "delete", name)
    assert "delete_time" not in oncepay.json("customers", "undelete", name)
    assert "display_name" not in oncepay.json("customers", "erase", name, "--yes")


def test_erase_without_confirmation_changes_nothing(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    result = oncepay.run("customers", "erase", customer["name"])
    assert result.code == 1
    assert oncepay.json("customers", "get", customer["name"]) == customer


def test_an_error_names_reason_field_and_resource(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
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


def test_an_update_without_fields_is_rejected(oncepay: "Home", customer: dict[str, Any]) -> None:
    for noun in ("customers", "payments"):
        result = oncepay.run(noun, "update", customer["name"])
        assert result.code == 1
        assert "Name at least one field" in result.stderr


def test_a_request_id_sent_twice_is_one_payment_and_a_reference_used_twice_is_rejected(
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


def test_a_new_request_id_is_printed_where_none_is_given(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    result = oncepay.run(
        *("payments", "create", "--customer", customer["name"], *NEW_PAYMENT),
        *("--payment-method=pm_card_visa", "--json"),
    )
    assert result.code == 0
    label, request_id = result.stderr.split()
    assert label == "request_id"
    assert uuid.UUID(request_id)
    assert json.loads(result.stdout)["state"] == "SUCCEEDED"


def test_a_declined_payment_is_failed_and_can_be_deleted_and_restored(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    failed = pay(oncepay, customer, "pm_card_chargeDeclined")
    assert failed["state"] == "FAILED"
    assert failed["failure"]["code"] == "card_declined"
    name = failed["name"]
    assert "delete_time" in oncepay.json("payments", "delete", name)
    assert "delete_time" not in oncepay.json("payments", "undelete", name)


def test_an_authorized_payment_is_captured_in_part_or_canceled(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    authorized = pay(oncepay, customer, "pm_card_visa", "--capture=manual")
    assert authorized["state"] == "AUTHORIZED"
    captured = oncepay.json("payments", "capture", authorized["name"], "--amount=12.5")
    assert captured["state"] == "SUCCEEDED"
    assert captured["amount_captured"]["minor_units"] == "1250"
    other = pay(oncepay, customer, "pm_card_visa", "--capture=manual")
    assert oncepay.json("payments", "cancel", other["name"])["state"] == "CANCELED"


def test_refunds_never_exceed_the_captured_amount(
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


def test_a_description_is_updated_and_a_stale_etag_is_rejected(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    changed = oncepay.json("payments", "update", name, "--description=Two books")
    assert changed["description"] == "Two books"
    stale = oncepay.run("payments", "update", name, "--description=Three", '--etag="0"')
    assert "ABORTED" in stale.stderr


def test_only_a_held_payment_can_be_released(oncepay: "Home", customer: dict[str, Any]) -> None:
    name = pay(oncepay, customer, "pm_card_visa")["name"]
    result = oncepay.run("payments", "release", name, "--note=reviewed")
    assert result.code == 1
    assert "FAILED_PRECONDITION" in result.stderr


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
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=MAX_WAIT_SECONDS)
    assert watching.returncode == 0


def test_a_page_ends_with_the_option_for_the_next_page(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    first, second = (pay(oncepay, customer, "pm_card_visa") for _ in range(2))
    query = ("payments", "list", "--customer", customer["name"], "--page-size=1", "--oldest-first")
    page = oncepay.run(*query)
    line, more = page.stdout.splitlines()
    assert line.split("\t")[:3] == [first["name"], "SUCCEEDED", "EUR 42.00"]
    token = more.rpartition(" ")[2]
    rest = oncepay.json(*query, "--page-token", token)
    assert [payment["name"] for payment in rest["payments"]] == [second["name"]]


def test_without_json_each_field_is_a_line(oncepay: "Home", customer: dict[str, Any]) -> None:
    shown = oncepay.run("customers", "get", customer["name"]).stdout.splitlines()
    assert shown[0] == f"name: {customer['name']}"
    assert f"email: {customer['email']}" in shown


def test_create_prints_the_3d_secure_page_where_the_payer_approves(
    oncepay: "Home", customer: dict[str, Any]
) -> None:
    return_url = f"http://127.0.0.1:{oncepay.ports['sandbox']}/_sandbox"
    create = (
        *("payments", "create", f"--customer={customer['name']}", *NEW_PAYMENT),
        *("--payment-method", "pm_card_threeDSecure2Required"),
    )
    output = oncepay.run(*create, "--return-url", return_url).stdout
    assert "approve or decline in a browser" in output
    (page,) = [line.strip() for line in output.splitlines() if line.startswith("  http")]
    # As the page's button does.
    with opener.open(page, data=b"answer=approve", timeout=MAX_WAIT_SECONDS) as redirected:
        assert redirected.url.startswith(return_url)
        assert "redirect_status=succeeded" in redirected.url
    name = output.split()[-1]
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while oncepay.json("payments", "get", name)["state"] != "SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert "without --return-url" in oncepay.run(*create).stdout


def test_output_to_a_terminal_is_coloured(running: "Running") -> None:
    assert "\x1b[" in running.up.output


def test_a_second_up_is_rejected_while_one_runs(running: "Running") -> None:
    home, process = running.home, running.up.process

    rejected = home.run("up")

    assert rejected.code == 1
    assert f"already runs from {home.folder} (process {process.pid})" in rejected.stderr


def test_demo_executes_a_payment_on_services_that_run(oncepay: "Home") -> None:
    demo = oncepay.run("demo", *oncepay.port_options("customer", "payment", "sandbox"))

    assert demo.code == 0, demo.stderr
    assert "SUCCEEDED" in demo.stdout
    assert "the card was charged once" in demo.stdout


def test_reconcile_uses_the_sandbox_and_the_database_that_up_runs(oncepay: "Home") -> None:
    time.sleep(1)  # the comparison ends with the last whole second

    result = oncepay.run(
        "reconcile", *oncepay.port_options("sandbox", "postgresql"), "--since", "1h", "--json"
    )

    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["agree"]
    assert report["totals"][0]["internal"]["payments"] >= 1, "the first payment"


def test_reconcile_has_the_exit_code_of_the_services_command(oncepay: "Home") -> None:
    result = oncepay.run(
        "reconcile", *oncepay.port_options("sandbox", "postgresql"), "--since", "yesterday"
    )

    assert result.code == 2
    assert "--since" in result.stderr


def test_rebind_is_rejected_while_up_runs(oncepay: "Home") -> None:
    result = oncepay.run("rebind", *oncepay.port_options("postgresql"), "--the-old-one-is-stopped")

    assert result.code == 1
    assert "already runs" in result.stderr
