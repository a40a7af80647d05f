"""Parsers of what passes a proxy: requests of the Stripe API, statements of Payment's repository.

A parser only reads. It cuts the bytes of one connection into pieces that are forwarded whole, and names
the operation of each, so that an answer can be assigned to its request.
"""

import re
import struct
from collections.abc import Iterator
from typing import Protocol

SSL_REQUEST = 80877103  # https://www.postgresql.org/docs/current/protocol-message-formats.html
HTTP_OPERATIONS = (
    (re.compile(rb"POST /v1/payment_intents$"), "create"),
    (re.compile(rb"POST /v1/payment_intents/\w+/(confirm|capture|cancel)$"), ""),
    (re.compile(rb"GET /v1/payment_intents/\w+$"), "retrieve"),
    (re.compile(rb"POST /v1/refunds$"), "refund"),
    (re.compile(rb"GET /v1/refunds$"), "list"),
)
STATEMENTS = (
    (re.compile(r"INSERT INTO payments\b"), "insert_payment"),
    (re.compile(r"INSERT INTO refunds\b"), "insert_refund"),
    (re.compile(r"UPDATE refunds\s+SET state"), "save_refund"),
    (re.compile(r"UPDATE payments\s+SET (version|state|status)"), "save_payment"),
    (re.compile(r"SKIP LOCKED"), "claim"),
)
"""The statements that change something, with the name of the operation."""


class ProtocolParser(Protocol):
    """Reads the bytes of one connection, in the direction of the server."""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Pieces to forward, each with the name of its operation ("": none of interest)."""


class OpaqueParser:
    """Knows nothing of the bytes, and names no operation."""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        yield "", data


class HttpParser:
    """Requests of HTTP/1.1, named by what they ask of the processor."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        self._kept += data
        while (end := self._kept.find(b"\r\n\r\n")) >= 0:
            head = self._kept[: end + 4]
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            size = len(head) + (int(length[1]) if length else 0)
            if len(self._kept) < size:
                return
            piece, self._kept = self._kept[:size], self._kept[size:]
            yield _operation(head), piece


def _operation(head: bytes) -> str:
    line = head.split(b"\r\n", 1)[0].rsplit(b" ", 1)[0].split(b"?")[0]
    for pattern, name in HTTP_OPERATIONS:
        if found := pattern.match(line):
            return name or found[1].decode()
    return ""


class PostgresParser:
    """Messages of PostgreSQL's protocol. A statement is known by its text when it is prepared, and
    by its name whenever it is bound.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._has_begun = False
        self._names: dict[bytes, str] = {}

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        self._kept += data
        name, end = "", 0
        while (size := self._size(end)) and len(self._kept) >= end + size:
            name = self._read(self._kept[end : end + size]) or name
            end += size
        if end:
            piece, self._kept = self._kept[:end], self._kept[end:]
            yield name, piece

    def _size(self, at: int) -> int:
        """The length of the next message; 0 while not even that is known."""
        head = 1 if self._has_begun else 0  # the first messages have no letter
        if len(self._kept) < at + head + 4:
            return 0
        return head + int(struct.unpack_from(">i", self._kept, at + head)[0])

    def _read(self, message: bytes) -> str:
        if not self._has_begun:
            self._has_begun = struct.unpack_from(">i", message, 4)[0] != SSL_REQUEST
            return ""
        if message[:1] == b"P":
            name, text, _ = message[5:].split(b"\0", 2)
            self._names[name] = _statement(text.decode(errors="replace"))
        if message[:1] == b"B":
            return self._names.get(message[5:].split(b"\0", 2)[1], "")
        return ""


def _statement(text: str) -> str:
    return next((name for pattern, name in STATEMENTS if pattern.search(text)), "")
