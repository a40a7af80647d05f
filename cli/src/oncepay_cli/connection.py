"""Calls to the services: retried while unavailable; an error becomes a sentence."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from oncepay_cli.errors import CommandError

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

# A call with a request_id may be sent any number of times. These bounds cover the restart of a service; to
# wait longer, run the command again.
MAX_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 3.0
# The services answer within 10 s; the rest is for the network.
TIMEOUT_SECONDS = 15.0

_UNKNOWN_OUTCOME = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class CallFailed(CommandError):
    """A service answered with an error, or did not answer.

    Attributes:
        status: the service's status with its details.
        reasons: the machine-readable reasons, for example EMAIL_TAKEN.
        is_outcome_unknown: whether the call may have taken effect.
    """

    def __init__(self, status: status_pb2.Status, is_outcome_unknown: bool) -> None:
        super().__init__(_message(status))
        self.status = status
        self.reasons = _reasons(status)
        self.is_outcome_unknown = is_outcome_unknown


def connect(address: str) -> grpc.Channel:
    """A channel to `host:port`, never through a proxy that the environment names."""
    return grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])


def call(method: Callable[..., Reply], request: Message) -> Reply:
    """Call a method, and retry while the service is unavailable.

    Raises:
        CallFailed: the last attempt failed.
    """
    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return method(request, timeout=TIMEOUT_SECONDS, wait_for_ready=False)
        except grpc.RpcError as error:
            retry = error.code() is grpc.StatusCode.UNAVAILABLE and attempt < MAX_ATTEMPTS
            if not retry:
                raise call_failed(error) from None
        time.sleep(wait)
        wait = min(2 * wait, MAX_WAIT_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def call_once(method: Callable[..., Reply], request: Message, request_id: str) -> Reply:
    """`call` a method that takes a request_id; where its outcome is unknown, say how to repeat it.

    Raises:
        CallFailed: the last attempt failed.
    """
    try:
        return call(method, request)
    except CallFailed as failure:
        if failure.is_outcome_unknown:
            failure.add_note(
                "The outcome is unknown. Run the same command again with"
                f" --request-id {request_id}: it takes effect at most once."
            )
        raise


def call_failed(error: grpc.RpcError) -> CallFailed:
    """The exception for a failed call."""
    status = rpc_status.from_call(
        cast("grpc.Call", error)
    )  # a stub raises an error that is also a Call
    if status is None:
        status = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    return CallFailed(status, error.code() in _UNKNOWN_OUTCOME)


def _reasons(status: status_pb2.Status) -> list[str]:
    info = error_details_pb2.ErrorInfo()
    return [info.reason for detail in status.details if detail.Unpack(info)]


def _message(status: status_pb2.Status) -> str:
    """The status's message, then what its details add: reasons, fields, the conflicting resource."""
    code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
    if code == "UNAVAILABLE" and not status.details:
        return f"The service does not answer: {status.message}. Is it running (`oncepay up`)?"
    lines = [f"{status.message} [{', '.join([*_reasons(status), code])}]"]
    bad, resource = error_details_pb2.BadRequest(), error_details_pb2.ResourceInfo()
    for detail in status.details:
        if detail.Unpack(bad):
            for violation in bad.field_violations:
                lines += _violation(violation, status.message)
        elif detail.Unpack(resource) and resource.resource_name not in status.message:
            lines.append(f"  resource: {resource.resource_name}")
    return "\n".join(lines)


def _violation(violation: error_details_pb2.BadRequest.FieldViolation, message: str) -> list[str]:
    """The field and its rule; nothing where the message contains both."""
    if violation.field in message and violation.description in message:
        return []
    return [f"  {violation.field}: {violation.description} [{violation.reason}]"]
