"""Options that several commands share, and what they mean to the services."""

import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from google.protobuf.message import Message

from oncepay_cli.errors import CommandError

CustomerAddress = Annotated[
    str,
    typer.Option(
        "--customer-address", envvar="ONCEPAY_CUSTOMER_ADDRESS", help="host:port of Customer"
    ),
]
PaymentAddress = Annotated[
    str,
    typer.Option(
        "--payment-address", envvar="ONCEPAY_PAYMENT_ADDRESS", help="host:port of Payment"
    ),
]
CUSTOMER_ADDRESS = "127.0.0.1:50051"
PAYMENT_ADDRESS = "127.0.0.1:50052"

AsJson = Annotated[bool, typer.Option("--json", help="the reply as JSON, for scripts")]
RequestId = Annotated[
    str,
    typer.Option(help="a UUID; the same again is the same request. Made, and shown, if not given"),
]
Etag = Annotated[str, typer.Option(help="refuse if it changed since this etag")]
MetadataPairs = Annotated[
    list[str], typer.Option("--metadata", help="key=value; as often as needed", metavar="KEY=VALUE")
]
PageSize = Annotated[int, typer.Option(help="how many, 1,000 at most", min=0)]
PageToken = Annotated[str, typer.Option(help="the next page, as the page before said")]
Filter = Annotated[str, typer.Option("--filter", help='create_time >= "2026-01-01T00:00:00Z"')]
ShowDeleted = Annotated[bool, typer.Option("--show-deleted", help="deleted ones too")]
OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="else the newest come first")]


def shown_request_id(given: str) -> str:
    """The caller's, or a new one; shown before the call, so that it is known whatever happens."""
    if given:
        return given
    made = str(uuid.uuid4())
    sys.stderr.write(f"request_id {made}\n")
    return made


def full_name(collection: str, given: str) -> str:
    """`customers/{id}`, also where only the id was typed."""
    return given if "/" in given else f"{collection}/{given}"


def metadata(pairs: Sequence[str]) -> dict[str, str]:
    """`key=value` pairs; a single empty one says that there are none.

    Raises:
        CommandError: a pair without `=`.
    """
    if list(pairs) == [""]:
        return {}
    broken = next((pair for pair in pairs if "=" not in pair), None)
    if broken is not None:
        raise CommandError(f"--metadata {broken!r} is no pair: write it as key=value.")
    return dict(pair.split("=", 1) for pair in pairs)


def joined_filter(given: str, equal: Mapping[str, str]) -> str:
    """A filter (AIP-160) of what was typed and of what options say, joined by AND."""
    escaped = {
        field: value.replace("\\", "\\\\").replace('"', '\\"') for field, value in equal.items()
    }
    terms = [f'{field} = "{value}"' for field, value in escaped.items() if value]
    return " AND ".join([*([given] if given else []), *terms])


def order(oldest_first: bool) -> str:
    return "create_time" if oldest_first else "create_time desc"


def said(**fields: str | None) -> list[str]:
    """The names of the options that were given: what an update changes."""
    return [name for name, value in fields.items() if value is not None]


def needs_change(paths: Sequence[str], message: type[Message]) -> None:
    """Refuse an update of nothing."""
    if not paths:
        raise CommandError(
            f"Say what to change of the {message.DESCRIPTOR.name.lower()}: see --help."
        )
