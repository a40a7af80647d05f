"""The position of an event in the stream of all events, and the cursor that callers hold of it."""

import base64
import struct
from typing import NamedTuple
from uuid import UUID

from chassis.values import InvalidValue

FORM = struct.Struct(">IQ16sq")


class StreamPosition(NamedTuple):
    """Orders the stream: by transaction, within it by payment, within that by sequence.

    Attributes:
        xid: the transaction that wrote the event, or a later one whose event of the same payment came
            before: so that the events of a payment are always in their order.
    """

    xid: int
    payment_id: UUID
    sequence: int


BEGINNING = StreamPosition(0, UUID(int=0), 0)


def write_cursor(position: StreamPosition, generation: int) -> str:
    """The cursor of a position. It holds the generation too: transaction ids begin again when the data
    move to another cluster, and an old cursor would pass over new events.
    """
    packed = FORM.pack(generation, position.xid, position.payment_id.bytes, position.sequence)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(cursor: str, generation: int) -> StreamPosition:
    """The position of a cursor; of "" the beginning.

    Raises:
        InvalidValue: CURSOR.
    """
    if not cursor:
        return BEGINNING
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        written_in, xid, payment_id, sequence = FORM.unpack(packed)
    except (ValueError, struct.error):
        written_in = None
    if written_in != generation:
        raise InvalidValue(
            "cursor",
            "CURSOR",
            "it is no cursor of this installation; send one that came with an event, unchanged, "
            "or leave it empty to begin with the first event",
        )
    return StreamPosition(xid, UUID(bytes=payment_id), sequence)
