"""What is refused, as a status: the table in code against the table in the contract."""

import re
from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc import StatusCode

import payment.domain.errors as errors
from chassis import call
from payment.api.errors import ALLOWED, ANSWERS, translate
from payment.domain.values import RequestPart

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "protobuf/oncepay/payment/v1/payment_service.proto"
ROW = re.compile(r"// \| ([A-Z_]+) +\| ([A-Z_]+) +\|")
CODES = {code.value[0]: code for code in StatusCode}
NAME = "payments/01939c5e-0000-7000-8000-000000000001"
HOLDER = "payments/01939c5e-0000-7000-8000-000000000002"
REFUND = f"{NAME}/refunds/01939c5e-0000-7000-8000-000000000003"
CUSTOMER = "customers/01939c5e-0000-7000-8000-000000000004"
EXAMPLES: list[errors.PaymentError] = [
    errors.RequestIdReused("0b7f3c0e-5f0a-4a51-9a3e-1f1d2c3b4a59"),
    errors.RefusedByProcessor(RequestPart.PAYMENT_METHOD, "resource_missing"),
    errors.PaymentNotFound(NAME),
    errors.RefundNotFound(REFUND),
    errors.ReferenceTaken("A-1", HOLDER),
    errors.CustomerNotFound(CUSTOMER),
    errors.CustomerDeleted(CUSTOMER),
    errors.CustomerBlocked(CUSTOMER),
    errors.WrongState(NAME, "captured", "CAPTURING"),
    errors.PaymentHeld(NAME, "another amount"),
    errors.PaymentDeleted(NAME),
    errors.AmountTooLarge(NAME, "refunded", 600, "EUR"),
    errors.ReferenceSet(NAME),
    errors.EtagMismatch(NAME),
    errors.CustomerServiceUnavailable(),
    errors.ProcessorUnavailable(),
    errors.TryAgain("the attempt took too long"),
    errors.InvariantViolation("the secret 4242"),
]


def told(error: Exception) -> status_pb2.Status:
    call.begin("0192e0c4-a", None)  # every error is translated within a call
    status = translate(error)
    assert status is not None
    return status


Detail = TypeVar("Detail", bound=Message)


def detail(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    for each in status.details:
        found = kind()
        if each.Unpack(found):
            return found
    return None


def test_every_refusal_has_an_answer() -> None:
    refusals = {
        each
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, errors.PaymentError)
        and each not in (errors.PaymentError, errors.ResourceError)
    }
    assert refusals == set(ANSWERS) == {type(each) for each in EXAMPLES}


def test_the_codes_and_reasons_are_those_of_the_contract() -> None:
    contract = set(ROW.findall(CONTRACT.read_text()))
    code = {(answer.code.name, answer.reason) for answer in ANSWERS.values()}
    by_the_chassis = {("UNAVAILABLE", "DATABASE_UNAVAILABLE")}
    assert code - {("INTERNAL", "INTERNAL")} == contract - by_the_chassis


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_refusal_says_what_why_and_what_to_do(error: errors.PaymentError) -> None:
    status = told(error)
    assert "{" not in status.message
    assert ";" in status.message or ":" in status.message, "what is wrong, and what to do"
    info = detail(status, details.ErrorInfo)
    assert info is not None
    assert info.domain == "oncepay.payment"
    assert all(re.fullmatch("[a-z][a-zA-Z0-9-_]{1,63}", key) for key in info.metadata)
    repeat = detail(status, details.RetryInfo)
    assert (repeat is not None) == (CODES[status.code] is StatusCode.UNAVAILABLE)


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (errors.PaymentNotFound(NAME), "oncepay.payment/Payment", NAME),
        (errors.ReferenceTaken("A-1", HOLDER), "oncepay.payment/Payment", HOLDER),
        (errors.RefundNotFound(REFUND), "oncepay.payment/Refund", REFUND),
        (errors.CustomerBlocked(CUSTOMER), "oncepay.customer/Customer", CUSTOMER),
    ],
)
def test_what_stands_in_the_way_is_named(error: Exception, kind: str, name: str) -> None:
    resource = detail(told(error), details.ResourceInfo)
    assert resource is not None
    assert (resource.resource_type, resource.resource_name) == (kind, name)


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (errors.RequestIdReused("x"), "request_id"),
        (errors.RefusedByProcessor(RequestPart.PAYMENT_METHOD, "x"), "payment.payment_method"),
        (errors.RefusedByProcessor(RequestPart.AMOUNT, "x"), "payment.amount.minor_units"),
        (errors.RefusedByProcessor(RequestPart.CURRENCY, "x"), "payment.amount.currency_code"),
        (errors.RefusedByProcessor(RequestPart.AMOUNT, "x", "capture"), "amount.minor_units"),
        (errors.RefusedByProcessor(RequestPart.AMOUNT, "x", "refund"), "refund.amount.minor_units"),
    ],
)
def test_the_field_that_is_wrong_is_named(error: Exception, field: str) -> None:
    status = told(error)
    bad = detail(status, details.BadRequest)
    assert bad is not None
    assert [each.field for each in bad.field_violations] == [field]
    assert CODES[status.code] is StatusCode.INVALID_ARGUMENT


def test_the_state_is_told_as_the_contract_shows_it() -> None:
    info = detail(told(errors.WrongState(NAME, "captured", "CAPTURING")), details.ErrorInfo)
    assert info is not None
    assert info.metadata["state"] == "PROCESSING"


def test_what_can_be_taken_is_told() -> None:
    info = detail(told(errors.AmountTooLarge(NAME, "refunded", 600, "EUR")), details.ErrorInfo)
    assert info is not None
    assert (info.metadata["maximum"], info.metadata["currency_code"]) == ("600", "EUR")


def test_of_a_broken_rule_nothing_leaves() -> None:
    status = told(errors.InvariantViolation("the secret 4242"))
    assert "4242" not in str(status)
    assert CODES[status.code] is StatusCode.INTERNAL


def test_every_action_that_a_state_forbids_is_explained() -> None:
    domain = ROOT / "payment/src/payment/domain"
    source = "".join(path.read_text() for path in domain.glob("*.py"))
    actions = re.findall(r'(?:_require\(|WrongState\([^,()]*(?:\([^()]*\))?, )"(\w+)"', source)
    assert set(actions) == set(ALLOWED)


def test_what_is_no_refusal_of_this_service_is_left_to_the_chassis() -> None:
    assert translate(ValueError("x")) is None
    assert translate(TimeoutError()) is None
