"""What is refused, as a status: the table in code against the table in the contract."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from google.rpc import error_details_pb2 as details

from customer.api.errors import ANSWERS, translate
from customer.domain import errors
from customer.domain.values import CustomerName

CONTRACT = Path(__file__).parents[3] / "protobuf/oncepay/customer/v1/customer_service.proto"
ROW = re.compile(r"// \| ([A-Z_]+) +\| ([A-Z_]+) +\|")
NAME = CustomerName(UUID(int=1))


def test_every_refusal_has_an_answer() -> None:
    refusals = set(errors.CustomerError.__subclasses__())
    assert refusals == set(ANSWERS)


def test_the_codes_and_reasons_are_those_of_the_contract() -> None:
    contract = set(ROW.findall(CONTRACT.read_text()))
    by_the_chassis = {("UNAVAILABLE", "DATABASE_UNAVAILABLE")}
    assert {(each.code.name, each.reason) for each in ANSWERS.values()} == contract - by_the_chassis


@pytest.mark.parametrize("refusal", ANSWERS, ids=lambda refusal: refusal.__name__)
def test_a_refusal_names_the_customer_and_its_reason(refusal: type[errors.CustomerError]) -> None:
    status = translate(refusal(NAME))
    assert status is not None
    info, resource = details.ErrorInfo(), details.ResourceInfo()
    for each in status.details:
        _ = each.Unpack(info) or each.Unpack(resource)
    assert (info.domain, info.reason) == ("oncepay.customer", ANSWERS[refusal].reason)
    assert resource.resource_name == str(NAME)
    assert "{" not in status.message


def test_a_refusal_that_is_about_nobody_names_nobody_and_says_when_to_repeat() -> None:
    status = translate(errors.TryAgain())
    assert status is not None
    kinds = {each.type_url.rsplit(".", 1)[1] for each in status.details}
    assert kinds == {"ErrorInfo", "RetryInfo"}


def test_other_errors_are_the_chassis_s_to_tell() -> None:
    assert translate(ValueError("secret")) is None
