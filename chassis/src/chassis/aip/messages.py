"""What every conversion needs of protobuf's messages, on the way in and out."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.values import InvalidValue


def require(message: Message, field: str) -> None:
    """Refuses a message that does not say this field, which is a message too.

    Raises:
        InvalidValue: at the field, REQUIRED.
    """
    if not message.HasField(field):
        raise InvalidValue(field, "REQUIRED", "it is missing, and nothing is taken for it; send it")


def timestamp(time: datetime | None) -> Timestamp | None:
    """Writes a time, to the microsecond; nothing for None."""
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written
