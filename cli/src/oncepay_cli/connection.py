"""Calls to the services: sent again while nobody answers, and refused in words."""

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

# With the same request_id a call may be sent as often as one likes. These are for a service that
# is just being started again; who needs more patience calls the command again.
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 3.0
# The services answer within 10 s of their own accord; a little is left for the way.
TIMEOUT_SECONDS = 15.0

_UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class CallFailed(CommandError):
    """A service answered with an error, or nobody answered.

    Attributes:
        status: the error as the service gave it.
        reasons: its reasons, for programs: EMAIL_TAKEN.
        is_unknown: whether the call may have been carried out all the same.
    """

    def __init__(self, status: status_pb2.Status, is_unknown: bool) -> None:
        super().__init__(_words(status))
        self.status = status
        self.reasons = _reasons(status)
        self.is_unknown = is_unknown


def connect(address: str) -> grpc.Channel:
    """A channel to `host:port`, never through a proxy that the shell names."""
    return grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])


def call(method: Callable[..., Reply], request: Message) -> Reply:
    """Call, and call again while the service is unavailable.

    Raises:
        CallFailed: the last answer was an error.
    """
    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return method(request, timeout=TIMEOUT_SECONDS, wait_for_ready=False)
        except grpc.RpcError as error:
            again = error.code() is grpc.StatusCode.UNAVAILABLE and attempt < ATTEMPTS
            if not again:
                raise refused(error) from None
        time.sleep(wait)
        wait = min(2 * wait, MAX_WAIT_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def call_once(method: Callable[..., Reply], request: Message, request_id: str) -> Reply:
    """`call` for what moves money or makes something: where the end is unknown, it says how to ask.

    Raises:
        CallFailed: the last answer was an error.
    """
    try:
        return call(method, request)
    except CallFailed as refused:
        if refused.is_unknown:
            refused.add_note(
                "What became of it is unknown. Run the same command again, with"
                f" --request-id {request_id}: it happens at most once."
            )
        raise


def refused(error: grpc.RpcError) -> CallFailed:
    """A call's error in words."""
    status = rpc_status.from_call(cast("grpc.Call", error))  # what a stub raises is both
    if status is None:
        status = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    return CallFailed(status, error.code() in _UNKNOWN)


def _reasons(status: status_pb2.Status) -> list[str]:
    info = error_details_pb2.ErrorInfo()
    return [info.reason for detail in status.details if detail.Unpack(info)]


def _words(status: status_pb2.Status) -> str:
    """The message, then what the details add: field and rule, what stands in the way, the reason."""
    code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
    if code == "UNAVAILABLE" and not status.details:
        return f"Nobody answers there: {status.message}. Do the services run (`oncepay up`)?"
    lines = [f"{status.message} [{', '.join([*_reasons(status), code])}]"]
    bad, resource = error_details_pb2.BadRequest(), error_details_pb2.ResourceInfo()
    for detail in status.details:
        if detail.Unpack(bad):
            for violation in bad.field_violations:
                lines += _violation(violation, status.message)
        elif detail.Unpack(resource) and resource.resource_name not in status.message:
            lines.append(f"  about: {resource.resource_name}")
    return "\n".join(lines)


def _violation(violation: error_details_pb2.BadRequest.FieldViolation, message: str) -> list[str]:
    """A field and its rule, in words; nothing where the message has said them already."""
    if violation.field in message and violation.description in message:
        return []
    return [f"  {violation.field}: {violation.description} [{violation.reason}]"]
