"""Pages of a list (AIP-158): their size, their query, and the token that leads to the next one.

A token holds where a page ends, and an HMAC over that and the whole request but for its page size.
So nobody can make one up, or use it with another filter, and no server needs to remember it.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from chassis.aip.filters import Comparison
from chassis.values import InvalidValue

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000
# Half of SHA-256: 2^-128 for a guess, each of which costs a call.
SEAL_BYTES = 16
MAX_TOKEN_LENGTH = 2_000


class Row(Protocol):
    """What has a position in a list."""

    @property
    def create_time(self) -> datetime: ...
    @property
    def id(self) -> UUID: ...


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the key of its last row. The id decides between rows of one microsecond."""

    create_time: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list to read: at most `limit` rows after a position, ordered by `create_time`.

    A service's query adds conditions of its own. The rows of a page meet every one that is given.
    """

    limit: int
    after: Position | None = None
    newest_first: bool = True
    show_deleted: bool = False
    create_time: Sequence[tuple[Comparison, datetime]] = ()


def page_size(asked: int) -> int:
    """The rows of a page: 50 where 0 is asked, 1,000 where more is; InvalidValue if negative."""
    if asked < 0:
        message = "it must not be negative; 0 means the default"
        raise InvalidValue("page_size", "NEGATIVE", message)
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


class PageTokens:
    """Seals and opens page tokens, with the installation's key of 32 bytes or more.

    A list request is any message with the fields `page_size` and `page_token`. All its other fields
    must stay the same from page to page.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the key of page tokens must have 32 bytes or more")
        self._key = key

    async def page(
        self, request: Any, read: Callable[[int, Position | None], Awaitable[Sequence[AnyRow]]]
    ) -> tuple[Sequence[AnyRow], str]:
        """Returns the rows that a list request asks for, and the token of the next page.

        Args:
            read: reads so many rows after a position; one more than are returned, so that no page
                is promised that is empty.

        Raises:
            InvalidValue: at `page_size` or `page_token`.
        """
        after = None
        if place := self.open(request):
            create_time, row_id = place.split()
            after = Position(datetime.fromisoformat(create_time), UUID(row_id))
        size = page_size(request.page_size)
        rows = await read(size + 1, after)
        if len(rows) <= size:
            return rows, ""
        last = rows[size - 1]
        return rows[:size], self.seal(request, f"{last.create_time.isoformat()} {last.id}")

    def seal(self, request: Any, place: str) -> str:
        """Makes the token of the page that begins after `place`, which its holder can read."""
        body = place.encode()
        return base64.urlsafe_b64encode(self._seal(request, body) + body).decode().rstrip("=")

    def open(self, request: Any) -> str:
        """Returns the place that a request's token was made with; empty for the first page.

        Raises:
            InvalidValue: PAGE_TOKEN, if it was not made here for this very request.
        """
        token = request.page_token
        if not token:
            return ""
        try:
            padded = token[:MAX_TOKEN_LENGTH] + "=" * (-len(token) % 4)
            sealed = base64.b64decode(padded, b"-_", validate=True)
        except ValueError:
            sealed = b""
        seal, body = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(request, body)):
            message = (
                "it is no token of this list with this filter and order; send the "
                "next_page_token of the page before and change nothing else, or leave it empty"
            )
            raise InvalidValue("page_token", "PAGE_TOKEN", message)
        return body.decode()

    def _seal(self, request: Any, body: bytes) -> bytes:
        query = type(request)()
        query.CopyFrom(request)
        query.ClearField("page_size")
        query.ClearField("page_token")
        name = request.DESCRIPTOR.full_name.encode()
        asked = hashlib.sha256(name + query.SerializeToString(deterministic=True)).digest()
        return hmac.digest(self._key, asked + body, hashlib.sha256)[:SEAL_BYTES]
