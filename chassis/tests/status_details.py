"""The details of a status, by their name: `details_of(status)["ErrorInfo"].reason`."""

from typing import Any

from google.rpc import error_details_pb2, status_pb2


def details_of(status: status_pb2.Status) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        found[name] = getattr(error_details_pb2, name)()
        packed.Unpack(found[name])
    return found
