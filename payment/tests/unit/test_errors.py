"""The answers to domain errors: the table in code against the table in the contract."""

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
from payment.api.errors import ALLOWED, ANSWERS, REQUEST_FIELDS, translate
from payment.domain.values import RequestPart

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "protobuf/oncepay/payment/v1/payment_service.proto"
CONTRACT_ROW = re.compile(r"// \| ([A-Z_]+) +\| ([A-Z_]+) +\|")
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
"""One of each class."""

Detail = TypeVar("Detail", bound=Message)


@pytest.fixture(autouse=True)
def _within_a_call() -> None:
    """Every error is translated within a call, whose id an INTERNAL error shows."""
    call.begin("0192e0c4-a", None)


def status_of(error: Exception) -> status_pb2.Status:
    status = translate(error)
    assert status is not None
    return status


def detail(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    """The detail of this type in a status."""
    for packed in status.details:
        message = kind()
        if packed.Unpack(message):
            return message
    return None


def error_info(error: Exception) -> details.ErrorInfo:
    info = detail(status_of(error), details.ErrorInfo)
    assert info is not None
    return info


def test_every_domain_error_has_an_answer() -> None:
    classes = {
        each
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, errors.PaymentError)
        and each not in (errors.PaymentError, errors.ResourceError)
    }
    assert classes == set(ANSWERS) == {type(each) for each in EXAMPLES}


def test_the_codes_and_reasons_are_those_of_the_contract() -> None:
    contract = set(CONTRACT_ROW.findall(CONTRACT.read_text()))
    answers = {(answer.code.name, answer.reason) for answer in ANSWERS.values()}
    of_the_chassis = {("UNAVAILABLE", "DATABASE_UNAVAILABLE")}
    assert answers - {("INTERNAL", "INTERNAL")} == contract - of_the_chassis


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_answer_says_what_is_wrong_and_what_to_do(error: errors.PaymentError) -> None:
    message = status_of(error).message
    assert "{" not in message
    assert ";" in message or ":" in message, "what is wrong, and what to do"


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_answer_has_an_error_info_of_this_service(error: errors.PaymentError) -> None:
    info = error_info(error)
    assert info.domain == "oncepay.payment"
    assert all(re.fullmatch("[a-z][a-zA-Z0-9-_]{1,63}", key) for key in info.metadata)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_only_an_unavailable_call_may_be_repeated(error: errors.PaymentError) -> None:
    status = status_of(error)
    has_retry_info = detail(status, details.RetryInfo) is not None
    assert has_retry_info == (CODES[status.code] is StatusCode.UNAVAILABLE)


@pytest.mark.parametrize(
    ("error", "resource_type", "name"),
    [
        (errors.PaymentNotFound(NAME), "oncepay.payment/Payment", NAME),
        (errors.ReferenceTaken("A-1", HOLDER), "oncepay.payment/Payment", HOLDER),
        (errors.RefundNotFound(REFUND), "oncepay.payment/Refund", REFUND),
        (errors.CustomerBlocked(CUSTOMER), "oncepay.customer/Customer", CUSTOMER),
    ],
)
def test_the_resource_that_an_error_is_about_is_named(
    error: Exception, resource_type: str, name: str
) -> None:
    resource = detail(status_of(error), details.ResourceInfo)
    assert resource is not None
    assert (resource.resource_type, resource.resource_name) == (resource_type, name)


REFUSALS = [
    (errors.RequestIdReused("x"), "request_id"),
    (errors.RefusedByProcessor(RequestPart.PAYMENT_METHOD, "x"), "payment.payment_method"),
    (errors.RefusedByProcessor(RequestPart.AMOUNT, "x"), "payment.amount.minor_units"),
    (errors.RefusedByProcessor(RequestPart.CURRENCY, "x"), "payment.amount.currency_code"),
    (errors.RefusedByProcessor(RequestPart.AMOUNT, "x", "capture"), "amount.minor_units"),
    (errors.RefusedByProcessor(RequestPart.AMOUNT, "x", "refund"), "refund.amount.minor_units"),
]


@pytest.mark.parametrize(("error", "field"), REFUSALS)
def test_the_field_of_the_request_that_is_refused_is_named(error: Exception, field: str) -> None:
    status = status_of(error)
    bad_request = detail(status, details.BadRequest)
    assert bad_request is not None
    assert [each.field for each in bad_request.field_violations] == [field]
    assert CODES[status.code] is StatusCode.INVALID_ARGUMENT


def test_every_part_that_the_processor_may_refuse_is_tested() -> None:
    refused = {
        (error.operation, error.part)
        for error, _ in REFUSALS
        if isinstance(error, errors.RefusedByProcessor)
    }
    assert refused == set(REQUEST_FIELDS)


def test_the_processors_code_is_in_the_message_and_the_metadata() -> None:
    error = errors.RefusedByProcessor(RequestPart.PAYMENT_METHOD, "resource_missing")
    assert "(resource_missing)" in status_of(error).message
    assert error_info(error).metadata["code"] == "resource_missing"


def test_the_state_of_a_payment_is_shown_as_the_contract_names_it() -> None:
    info = error_info(errors.WrongState(NAME, "captured", "CAPTURING"))
    assert info.metadata["state"] == "PROCESSING"


def test_an_amount_that_is_too_large_is_answered_with_the_maximum() -> None:
    info = error_info(errors.AmountTooLarge(NAME, "refunded", 600, "EUR"))
    assert (info.metadata["maximum"], info.metadata["currency_code"]) == ("600", "EUR")


def test_an_invariant_violation_shows_the_call_id_and_nothing_of_the_error() -> None:
    status = status_of(errors.InvariantViolation("the secret 4242"))
    assert "4242" not in str(status)
    assert "0192e0c4-a" in status.message
    assert CODES[status.code] is StatusCode.INTERNAL


def test_every_action_that_a_state_forbids_has_its_allowed_states() -> None:
    domain = ROOT / "payment/src/payment/domain"
    source = "".join(path.read_text() for path in domain.glob("*.py"))
    actions = re.findall(r'(?:_require\(|WrongState\([^,()]*(?:\([^()]*\))?, )"(\w+)"', source)
    assert set(actions) == set(ALLOWED)


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError()], ids=repr)
def test_an_error_that_is_not_the_domains_is_left_to_the_chassis(error: Exception) -> None:
    assert translate(error) is None
