"""Statuses with their details, and the table of a service's errors."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis import call
from chassis.errors import Answer, Resource, invalid, status, translator
from chassis.values import InvalidValue


def unpacked(told: status_pb2.Status) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for packed in told.details:
        name = packed.TypeName().rpartition(".")[2]
        found[name] = getattr(details, name)()
        packed.Unpack(found[name])
    return found


def test_a_status_has_the_details_that_were_given_and_no_others() -> None:
    least = status(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", "read it again", domain="test")
    assert (least.code, least.message, list(unpacked(least))) == (
        10,
        "read it again",
        ["ErrorInfo"],
    )
    most = unpacked(
        status(
            grpc.StatusCode.ALREADY_EXISTS,
            "EMAIL_TAKEN",
            "take another",
            domain="test",
            metadata={"customer": "customers/1"},
            violations=[InvalidValue("email", "EMAIL_TAKEN", "it is taken")],
            resource=Resource("test/Customer", "customers/1", "has it"),
            retry_after=1.5,
        )
    )
    assert dict(most["ErrorInfo"].metadata) == {"customer": "customers/1"}
    assert most["BadRequest"].field_violations[0].field == "email"
    assert most["ResourceInfo"].resource_name == "customers/1"
    delay = most["RetryInfo"].retry_delay
    assert (delay.seconds, delay.nanos) == (1, 500_000_000)


def test_a_status_of_many_violations_still_fits_into_a_reply() -> None:
    many = [InvalidValue("metadata[" + "k" * 40 + "]", "TOO_LONG", "x" * 150)] * 1_000
    told = status(grpc.StatusCode.INVALID_ARGUMENT, "MANY", "many", domain="t", violations=many)
    assert len(unpacked(told)["BadRequest"].field_violations) == 10
    assert told.ByteSize() < 4_000


def test_an_invalid_value_gives_its_rule_as_the_reason() -> None:
    told = invalid(InvalidValue("email", "EMAIL", "it has no @"), "test")
    assert told.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert unpacked(told)["ErrorInfo"].reason == "EMAIL"


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
    told = translated(answer, Taken("customers/1"))
    found = unpacked(told)
    assert (told.code, told.message) == (6, "customers/1 has it")
    assert (found["ErrorInfo"].domain, found["ErrorInfo"].reason) == ("test", "TAKEN")
    assert found["ErrorInfo"].metadata["name"] == "customers/1"
    (violation,) = found["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("email", "TAKEN")
    resource = found["ResourceInfo"]
    assert (resource.resource_type, resource.resource_name) == ("test/Customer", "customers/1")
    assert "RetryInfo" not in found


def test_an_error_without_a_resource_names_none() -> None:
    told = translated(Answer(grpc.StatusCode.ABORTED, "LOST", "it lost a race"), Taken(None))
    found = unpacked(told)
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
    told = translated(answer, Taken("customers/1", "email"))
    found = unpacked(told)
    assert told.message == "email.text is taken"
    assert found["BadRequest"].field_violations[0].field == "customer.email.text"
    assert dict(found["ErrorInfo"].metadata) == {"path": "email.text"}


def test_only_what_is_unavailable_says_when_to_repeat() -> None:
    told = translated(Answer(grpc.StatusCode.UNAVAILABLE, "AWAY", "repeat it"), Taken(None))
    assert unpacked(told)["RetryInfo"].retry_delay.seconds == 1


def test_of_an_internal_error_only_the_calls_id_leaves() -> None:
    call.begin("0192e0c4-a", None)
    answer = Answer(grpc.StatusCode.INTERNAL, "INTERNAL", "look for the call {call_id}")
    told = translated(answer, Taken("customers/1", "4242"))
    assert told.message == "look for the call 0192e0c4-a"
    assert dict(unpacked(told)["ErrorInfo"].metadata) == {"call_id": "0192e0c4-a"}
    assert "4242" not in str(told)


@pytest.mark.parametrize("error", [ValueError("secret"), TakenAgain("customers/1")])
def test_an_error_that_is_not_in_the_table_is_not_translated(error: Exception) -> None:
    answer = Answer(grpc.StatusCode.ABORTED, "LOST", "it lost a race")
    assert translator("test", {Taken: answer}, {})(error) is None
