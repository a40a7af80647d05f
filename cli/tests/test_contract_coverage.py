"""The command line reaches every method of the contracts, and every field that a caller may send."""

import ast
from pathlib import Path
from typing import Any

import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor
from oncepay.customer.v1 import customer_service_pb2
from oncepay.payment.v1 import payment_service_pb2

COMMANDS = Path(__file__).parents[1] / "src" / "oncepay_cli" / "commands"
METHODS = [
    method
    for module in (customer_service_pb2, payment_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
TREES = [ast.parse(path.read_text()) for path in sorted(COMMANDS.glob("*.py"))]

NOT_COMMANDS: dict[str, str] = {
    "GetRefund": "`oncepay payments refunds` lists a payment's refunds, which are few",
}
"""Methods without a command, and why."""

NOT_OPTIONS: dict[str, set[str]] = {
    "CreateCustomer": {"state"},  # nobody registers a blocked customer: `update` blocks one
}
"""Fields of a request without an option, by the method, and why."""


def fields(message: Descriptor) -> set[str]:
    """The fields that a caller may send."""
    names = set()
    for field in message.fields:
        options: Any = field.GetOptions()
        kinds = set(options.Extensions[field_behavior_pb2.field_behavior])
        if not kinds & {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}:
            names.add(field.name)
    return names


def functions_that_make(message: str) -> list[ast.FunctionDef]:
    """The commands that make a message of this name."""
    return [
        function
        for tree in TREES
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and calls(function, message)
    ]


def calls(function: ast.AST, message: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == message
    ]


def given(function: ast.AST, message: str) -> set[str]:
    """The fields that a command gives to a message."""
    return {str(word.arg) for call in calls(function, message) for word in call.keywords}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_a_method_has_a_command(method: Any) -> None:
    named = {
        node.attr for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    assert (method.name in named) != (method.name in NOT_COMMANDS)


@pytest.mark.parametrize(
    "method",
    [method for method in METHODS if method.name not in NOT_COMMANDS],
    ids=lambda method: str(method.name),
)
def test_a_command_can_give_every_field(method: Any) -> None:
    request = method.input_type
    resource = method.name.removeprefix("Create").removeprefix("Update")
    makers = functions_that_make(request.name)
    assert makers
    for function in makers:
        missing = fields(request) - given(function, request.name)
        field = request.fields_by_name.get(resource.lower())
        if field is not None:
            missing |= given_too_little(function, method.name, field.message_type)
        assert missing == NOT_OPTIONS.get(method.name, set())


def given_too_little(function: ast.AST, method: str, resource: Descriptor) -> set[str]:
    wanted = fields(resource) - ({"etag"} if method.startswith("Create") else set())
    if method.startswith("Update"):
        wanted -= immutable(resource)
    return wanted - given(function, resource.name)


def immutable(resource: Descriptor) -> set[str]:
    names = set()
    for field in resource.fields:
        options: Any = field.GetOptions()
        if field_behavior_pb2.IMMUTABLE in options.Extensions[field_behavior_pb2.field_behavior]:
            names.add(field.name)
    return names
