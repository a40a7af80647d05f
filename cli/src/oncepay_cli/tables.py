"""Resources as people read them, and as JSON for scripts."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from oncepay.payment.v1.payment_pb2 import Money
from rich.markup import escape
from rich.table import Table

from oncepay_cli import money
from oncepay_cli.output import Output

_COLOURS = {
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "FAILED": "red",
    "BLOCKED": "red",
    "CANCELED": "dim",
}
_NOT_BROKEN = ("name", "payment", "state", "amount")
_OTHER_STATE = "yellow"  # under way: somebody still has to do something


def show_one(message: Message, as_json: bool) -> None:
    """A resource: its name, then every field that is set."""
    if as_json:
        sys.stdout.write(json(message) + "\n")
        return
    output = Output()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for field, value in message.ListFields():
        if output.is_plain:
            output.print_plain(f"{field.name}: {text(field, value)}")
        else:
            table.add_row(field.name, _coloured(text(field, value)))
    output.print(table)


def show_page(
    reply: Message, items: Sequence[Message], columns: Sequence[str], as_json: bool
) -> None:
    """A page of a list, and how to get the next one; on a terminal without its empty columns."""
    if as_json:
        sys.stdout.write(json(reply) + "\n")
        return
    output = Output()
    if not items:
        output.print_line("[dim]None.[/]")
    elif output.is_plain:
        for item in items:
            output.print_plain("\t".join(cells(item, columns)))
    else:
        rows = [cells(item, columns) for item in items]
        told = [at for at in range(len(columns)) if any(row[at] for row in rows)]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for at in told:
            # Names are there to be copied, and are not broken.
            table.add_column(columns[at], overflow="fold", no_wrap=columns[at] in _NOT_BROKEN)
        for row in rows:
            table.add_row(*(_coloured(row[at]) for at in told))
        output.print(table)
    token = getattr(reply, "next_page_token", "")
    if token:
        output.print_line(f"[dim]There are more: --page-token {escape(token)}[/]")


def cells(message: Message, columns: Iterable[str]) -> list[str]:
    """The fields of these names, as text; empty where not set."""
    present = {field.name: text(field, value) for field, value in message.ListFields()}
    return [present.get(name, "") for name in columns]


def text(field: FieldDescriptor, value: object) -> str:
    """A field's value on one line."""
    if isinstance(value, Money):
        return money.written(value)
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")
    if isinstance(value, Message):
        return ", ".join(f"{inner.name}: {text(inner, each)}" for inner, each in value.ListFields())
    if field.enum_type is not None:
        return field.enum_type.values_by_number[int(str(value))].name
    if field.message_type is not None:  # the one map we have: metadata
        return ", ".join(f"{key}={each}" for key, each in sorted(dict(value).items()))  # type: ignore[call-overload]
    return str(value)


def json(message: Message, indent: int | None = 2) -> str:
    """Protobuf's JSON, with the names of the contract."""
    return MessageToJson(message, preserving_proto_field_name=True, indent=indent)


def _coloured(cell: str) -> str:
    if cell.isupper() and cell.replace("_", "").isalpha():
        return f"[{_COLOURS.get(cell, _OTHER_STATE)}]{cell}[/]"
    return escape(cell)
