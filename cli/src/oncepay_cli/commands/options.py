"""Options shared by several commands, and their conversion to request fields."""

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

AsJson = Annotated[bool, typer.Option("--json", help="print the reply as JSON")]
RequestId = Annotated[
    str,
    typer.Option(
        help="a UUID that identifies the request across retries; default: a new one, printed"
    ),
]
Etag = Annotated[str, typer.Option(help="fail if it has changed since this etag")]
MetadataPairs = Annotated[
    list[str], typer.Option("--metadata", help="key=value; may be repeated", metavar="KEY=VALUE")
]
PageSize = Annotated[int, typer.Option(help="at most 1,000", min=0)]
PageToken = Annotated[str, typer.Option(help="printed by the previous page")]
Filter = Annotated[str, typer.Option("--filter", help='create_time >= "2026-01-01T00:00:00Z"')]
ShowDeleted = Annotated[bool, typer.Option("--show-deleted", help="include deleted ones")]
OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="default: newest first")]


def shown_request_id(given: str) -> str:
    """The given request_id, or a new one, printed before the call so that a retry can use it."""
    if given:
        return given
    request_id = str(uuid.uuid4())
    sys.stderr.write(f"request_id {request_id}\n")
    return request_id


def full_name(collection: str, given: str) -> str:
    """The resource name: `customers/{id}`, also where only the id was given."""
    return given if "/" in given else f"{collection}/{given}"


def metadata(pairs: Sequence[str]) -> dict[str, str]:
    """The metadata of `key=value` pairs; a single empty string clears it.

    Raises:
        CommandError: a pair has no `=`.
    """
    if list(pairs) == [""]:
        return {}
    invalid = next((pair for pair in pairs if "=" not in pair), None)
    if invalid is not None:
        raise CommandError(f"--metadata {invalid!r} has no =: write it as key=value.")
    return dict(pair.split("=", 1) for pair in pairs)


def joined_filter(given: str, equal: Mapping[str, str]) -> str:
    """An AIP-160 filter: the given one and an equality for each option, joined by AND."""
    escaped = {
        field: value.replace("\\", "\\\\").replace('"', '\\"') for field, value in equal.items()
    }
    terms = [f'{field} = "{value}"' for field, value in escaped.items() if value]
    return " AND ".join([*([given] if given else []), *terms])


def order_by(oldest_first: bool) -> str:
    return "create_time" if oldest_first else "create_time desc"


def given_fields(**fields: str | None) -> list[str]:
    """The names of the options that were given: the update mask."""
    return [name for name, value in fields.items() if value is not None]


def require_fields(fields: Sequence[str], message: type[Message]) -> None:
    """Reject an update without fields.

    Raises:
        CommandError: there are none.
    """
    if not fields:
        raise CommandError(
            f"Name at least one field of the {message.DESCRIPTOR.name.lower()} to change: see --help."
        )
