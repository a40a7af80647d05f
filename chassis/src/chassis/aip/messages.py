"""Protobuf messages: required fields, and times."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.values import InvalidValue


def require(message: Message, field: str) -> None:
    """Checks that a message has this field, which is a message too.

    Raises:
        InvalidValue: at the field, REQUIRED.
    """
    if not message.HasField(field):
        raise InvalidValue(field, "REQUIRED", "it is missing and has no default; send it")


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time as protobuf has it, to the microsecond; None for None."""
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written
