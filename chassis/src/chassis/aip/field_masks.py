"""`update_mask` (AIP-134): which fields an update changes."""

from collections.abc import Collection

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from chassis.values import InvalidValue


def updated(message: Message, mask: FieldMask, writable: Collection[str]) -> frozenset[str]:
    """Returns the names of the fields to change.

    Without paths: every writable field that has a value in `message`. With `*`: every writable
    field, a full replacement. Otherwise the paths, which must be writable. A map is replaced
    whole.

    Raises:
        InvalidValue: at `update_mask`, MASK_STAR or MASK_PATH.
    """
    if not mask.paths:
        return frozenset(field.name for field, _ in message.ListFields()).intersection(writable)
    if "*" in mask.paths:
        if len(mask.paths) > 1:
            raise InvalidValue("update_mask", "MASK_STAR", "* must stand alone: it means all")
        return frozenset(writable)
    for path in mask.paths:
        if path not in writable:
            served = ", ".join(sorted(writable))
            known = message.DESCRIPTOR.fields_by_name
            what = f"{path} cannot be updated" if path in known else "it holds an unknown path"
            raise InvalidValue("update_mask", "MASK_PATH", f"{what}; it can name {served}, or *")
    return frozenset(mask.paths)
