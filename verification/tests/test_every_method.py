"""Every method of the contracts has a test that calls it over gRPC, in its own service."""

import ast
from pathlib import Path

import pytest
from oncepay.customer.v1 import customer_service_pb2
from oncepay.payment.v1 import payment_service_pb2

ROOT = Path(__file__).parents[2]
METHODS = [
    (service, method.name)
    for service, module in (("customer", customer_service_pb2), ("payment", payment_service_pb2))
    for contract in module.DESCRIPTOR.services_by_name.values()
    for method in contract.methods
]


def called_in_tests_of(service: str) -> set[str]:
    """The attributes that the service's tests, and their support, read: a client's methods among them."""
    return {
        node.attr
        for path in (ROOT / service / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }


CALLED = {service: called_in_tests_of(service) for service in ("customer", "payment")}


@pytest.mark.parametrize(("service", "method"), METHODS)
def test_a_method_is_called_by_a_test(service: str, method: str) -> None:
    assert method in CALLED[service]
