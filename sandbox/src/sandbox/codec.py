"""The ledger's JSON of requests and movements."""

from dataclasses import fields
from typing import Any, get_args

from sandbox.actions import InjectedFailure, PassTime, Request, Write
from sandbox.objects import Methods, Movement

Json = dict[str, Any]

_ACTIONS = {action.__name__: action for action in (*get_args(Write), PassTime)}


def encode_request(request: Request, at: int) -> Json:
    """A request that changed the state. A read changes it only by what was due: it becomes PassTime."""
    action = request.action
    if not isinstance(action, get_args(Write)):
        request = Request(action := PassTime())
    values = {field.name: getattr(action, field.name) for field in fields(action)}
    entry: Json = {
        "at": at,
        "action": type(action).__name__,
        "fields": {name: _plain(value) for name, value in values.items() if value is not None},
    }
    if request.key:
        entry["key"] = request.key
    if request.expand:
        entry["expand"] = request.expand
    if request.failure:
        entry["failure"] = request.failure.value
    return entry


def decode_request(entry: Json) -> tuple[Request, int]:
    """The request and its time."""
    values = dict(entry["fields"])
    if "metadata" in values:
        values["metadata"] = tuple(values["metadata"].items())
    if "methods" in values:
        values["methods"] = Methods(values["methods"])
    failure = entry.get("failure")
    request = Request(
        _ACTIONS[entry["action"]](**values),
        entry.get("key"),
        tuple(entry.get("expand", ())),
        InjectedFailure(failure) if failure else None,
    )
    return request, entry["at"]


def encode_movement(movement: Movement) -> Json:
    """A movement of money."""
    return {
        "kind": movement.kind,
        "intent": movement.intent,
        "charge": movement.charge,
        "refund": movement.refund,
        "amount": movement.amount,
        "currency": movement.currency,
        "metadata": dict(movement.metadata),
    }


def _plain(value: object) -> object:
    if isinstance(value, Methods):
        return value.value
    return dict(value) if isinstance(value, tuple) else value
