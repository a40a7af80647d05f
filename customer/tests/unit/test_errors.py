"""The errors of Customer as statuses: the table in code against the table in the contract."""

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


def test_every_error_has_an_answer() -> None:
    classes = set(errors.CustomerError.__subclasses__())
    assert classes == set(ANSWERS)


def test_the_codes_and_reasons_are_those_of_the_contract() -> None:
    contract = set(ROW.findall(CONTRACT.read_text()))
    by_the_chassis = {("UNAVAILABLE", "DATABASE_UNAVAILABLE")}
    assert {(each.code.name, each.reason) for each in ANSWERS.values()} == contract - by_the_chassis


@pytest.mark.parametrize("error", ANSWERS, ids=lambda error: error.__name__)
def test_a_status_names_the_customer_and_the_reason(error: type[errors.CustomerError]) -> None:
    status = translate(error(NAME))
    assert status is not None
    info, resource = details.ErrorInfo(), details.ResourceInfo()
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(resource)
    assert (info.domain, info.reason) == ("oncepay.customer", ANSWERS[error].reason)
    assert resource.resource_name == str(NAME)
    assert "{" not in status.message


def test_an_error_that_is_about_no_customer_names_none_and_says_when_to_repeat() -> None:
    status = translate(errors.TryAgain())
    assert status is not None
    kinds = {detail.type_url.rsplit(".", 1)[1] for detail in status.details}
    assert kinds == {"ErrorInfo", "RetryInfo"}


def test_errors_that_are_not_in_the_table_are_left_to_the_chassis() -> None:
    assert translate(ValueError("secret")) is None
