"""Statuses with their details, and the table of a service's errors."""

from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.rpc import status_pb2

from chassis import call, errors
from chassis.errors import Answer, invalid, translator
from chassis.values import InvalidValue

from .status_details import details_of


def test_an_invalid_value_names_its_field_and_its_rule() -> None:
    status = invalid(InvalidValue("email", "EMAIL", "it has no @"), "test")
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    found = details_of(status)
    assert found["ErrorInfo"].reason == "EMAIL"
    (violation,) = found["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("email", "EMAIL")
    assert violation.description == "it has no @"


@dataclass(eq=False)
class Taken(Exception):
    """An error of a service as these tests need it."""

    name: str | None
    secret: str = ""


class TakenAgain(Taken):
    """A subclass, which is not in the table."""


def translated(answer: Answer, error: Taken) -> status_pb2.Status:
    translate = translator("test", {Taken: answer}, {"customers": "test/Customer"})
    found = translate(error)
    assert found is not None
    return found


def test_a_services_error_becomes_what_its_table_says() -> None:
    answer = Answer(grpc.StatusCode.ALREADY_EXISTS, "TAKEN", "{name} has it", field="email")
    status = translated(answer, Taken("customers/1"))
    found = details_of(status)
    assert (status.code, status.message) == (6, "customers/1 has it")
    assert (found["ErrorInfo"].domain, found["ErrorInfo"].reason) == ("test", "TAKEN")
    assert found["ErrorInfo"].metadata["name"] == "customers/1"
    (violation,) = found["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("email", "TAKEN")
    resource = found["ResourceInfo"]
    assert (resource.resource_type, resource.resource_name) == ("test/Customer", "customers/1")
    assert "RetryInfo" not in found


def test_an_error_without_a_resource_names_none() -> None:
    status = translated(Answer(grpc.StatusCode.ABORTED, "LOST", "it lost a race"), Taken(None))
    found = details_of(status)
    assert "ResourceInfo" not in found
    assert "name" not in found["ErrorInfo"].metadata


def test_a_table_can_say_other_fields_than_the_error_has() -> None:
    answer = Answer(
        grpc.StatusCode.INVALID_ARGUMENT,
        "TAKEN",
        "{path} is taken",
        field="customer.{path}",
        fields=lambda error: {"path": f"{error.secret}.text"},
    )
    status = translated(answer, Taken("customers/1", "email"))
    found = details_of(status)
    assert status.message == "email.text is taken"
    assert found["BadRequest"].field_violations[0].field == "customer.email.text"
    assert dict(found["ErrorInfo"].metadata) == {"path": "email.text"}


@pytest.mark.parametrize("code", list(grpc.StatusCode)[1:], ids=lambda code: code.name)
def test_a_call_that_may_be_sent_again_is_told_when(code: grpc.StatusCode) -> None:
    found = details_of(translated(Answer(code, "REASON", "message"), Taken(None)))
    may_be_repeated = code.name in {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
    assert ("RetryInfo" in found) == may_be_repeated
    if may_be_repeated:
        assert found["RetryInfo"].retry_delay.seconds == 1


def test_of_an_internal_error_only_the_calls_id_leaves() -> None:
    call.begin("0192e0c4-a", None)
    answer = Answer(grpc.StatusCode.INTERNAL, "INTERNAL", "look for the call {call_id}")
    status = translated(answer, Taken("customers/1", "4242"))
    assert status.message == "look for the call 0192e0c4-a"
    assert dict(details_of(status)["ErrorInfo"].metadata) == {"call_id": "0192e0c4-a"}
    assert "4242" not in str(status)


@pytest.mark.parametrize("error", [ValueError("secret"), TakenAgain("customers/1")])
def test_an_error_that_is_not_in_the_table_is_not_translated(error: Exception) -> None:
    answer = Answer(grpc.StatusCode.ABORTED, "LOST", "it lost a race")
    assert translator("test", {Taken: answer}, {})(error) is None


CONTRACTS = sorted((Path(__file__).parents[2] / "protobuf/oncepay").glob("*/v1/*_service.proto"))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.stem)
def test_every_contract_names_what_every_service_can_answer(contract: Path) -> None:
    text = contract.read_text()
    for answer in vars(errors).values():
        if isinstance(answer, Answer):
            assert answer.reason in text
            assert answer.code.name in text
