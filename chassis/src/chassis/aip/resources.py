"""What all resources have: the moment at which one was read, and an etag (AIP-154).

Standard library only: domains are built on this module.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Resource = TypeVar("Resource")


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[Resource]):
    """A resource as it was read, and the time of the database then, on which all replicas agree."""

    resource: Resource
    now: datetime


def etag_of(version: int) -> str:
    """The etag of a version: in quotes, an entity-tag of RFC 9110."""
    return f'"{version}"'


def matches_etag(etag: str, version: int) -> bool:
    """Whether a caller's etag stands for this version; the empty etag stands for any."""
    return etag in ("", etag_of(version))
