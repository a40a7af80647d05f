"""Pages of a list (AIP-158): their size, and the token that leads to the next one.

A token holds where the next page begins, and an HMAC over that and the whole query. So nobody can
make one up, or carry it to another query, and no server needs to remember it.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.values import InvalidValue

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000
# Half of SHA-256: 2^-128 for a guess, each of which costs a call.
SEAL_BYTES = 16
MAX_TOKEN_LENGTH = 2_000


def page_size(asked: int) -> int:
    """The rows of a page: 50 where 0 is asked, 1,000 where more is; InvalidValue if negative."""
    if asked < 0:
        message = "it must not be negative; 0 means the default"
        raise InvalidValue("page_size", "NEGATIVE", message)
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the key of its last row. The id decides between rows of one microsecond."""

    create_time: datetime
    id: UUID


class Row(Protocol):
    """What has a place in a list."""

    @property
    def create_time(self) -> datetime: ...
    @property
    def id(self) -> UUID: ...


class PageTokens:
    """Seals and opens page tokens, with the installation's key of 32 bytes or more."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the key of page tokens must have 32 bytes or more")
        self._key = key

    def after(self, token: str, query: Sequence[str]) -> Position | None:
        """Where the page before the token's ends; None for the empty token. Raises as `open`."""
        if (opened := self.open(token, query)) is None:
            return None
        create_time, row_id = opened
        return Position(datetime.fromisoformat(create_time), UUID(row_id))

    def next(self, query: Sequence[str], rows: Sequence[Row], size: int) -> str:
        """The token of the page after the first `size` rows; empty where there are no more of them:
        one row more is read than is returned, to tell.
        """
        if len(rows) <= size:
            return ""
        last = rows[size - 1]
        return self.seal(query, (last.create_time.isoformat(), str(last.id)))

    def seal(self, query: Sequence[str], position: Sequence[str]) -> str:
        """Makes the token of the page that begins after `position`.

        Args:
            query: all that must stay the same from page to page: the method, the parent, filter,
                order, show_deleted; not the page size (AIP-158 lets it change).
            position: the sort key of the last row. It can be read by whoever holds the token.
        """
        body = json.dumps(list(position)).encode()
        return base64.urlsafe_b64encode(self._seal(query, body) + body).decode().rstrip("=")

    def open(self, token: str, query: Sequence[str]) -> tuple[str, ...] | None:
        """Returns the position in the token; None for the empty token, the first page.

        Raises:
            InvalidValue: PAGE_TOKEN, if it was not sealed here for this very query.
        """
        if not token:
            return None
        sealed = b""
        if len(token) <= MAX_TOKEN_LENGTH and token.isascii():
            try:
                sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            except binascii.Error:
                sealed = b""
        seal, body = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(query, body)):
            message = (
                "it is no token of this list with this filter and order; send the "
                "next_page_token of the page before and change nothing else, or leave it empty"
            )
            raise InvalidValue("page_token", "PAGE_TOKEN", message)
        return tuple(json.loads(body))

    def _seal(self, query: Sequence[str], body: bytes) -> bytes:
        # JSON keeps ("a", "b") and ("ab",) apart; the NUL cannot occur in it.
        said = json.dumps(list(query)).encode() + b"\0" + body
        return hmac.digest(self._key, said, hashlib.sha256)[:SEAL_BYTES]
