"""Printing resources: as tables and lines for people, as JSON for programs."""

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
_UNFOLDED_COLUMNS = ("name", "payment", "state", "amount")  # kept whole, to be copied
_OTHER_STATE = "yellow"  # not final


def show_one(message: Message, as_json: bool) -> None:
    """Print a resource: every field that is set."""
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
    """Print a page of a list and the next page's token; on a terminal without empty columns."""
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
        used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for index in used:
            name = columns[index]
            table.add_column(name, overflow="fold", no_wrap=name in _UNFOLDED_COLUMNS)
        for row in rows:
            table.add_row(*(_coloured(row[index]) for index in used))
        output.print(table)
    token = getattr(reply, "next_page_token", "")
    if token:
        output.print_line(f"[dim]Next page: --page-token {escape(token)}[/]")


def cells(message: Message, columns: Iterable[str]) -> list[str]:
    """The text of these fields; empty where not set."""
    present = {field.name: text(field, value) for field, value in message.ListFields()}
    return [present.get(name, "") for name in columns]


def text(field: FieldDescriptor, value: object) -> str:
    """A field's value on one line."""
    if isinstance(value, Money):
        return money.formatted(value)
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")
    if isinstance(value, Message):
        return ", ".join(f"{inner.name}: {text(inner, item)}" for inner, item in value.ListFields())
    if field.enum_type is not None:
        return field.enum_type.values_by_number[int(str(value))].name
    if field.message_type is not None:  # the only map field: metadata
        return ", ".join(f"{key}={item}" for key, item in sorted(dict(value).items()))  # type: ignore[call-overload]
    return str(value)


def json(message: Message, indent: int | None = 2) -> str:
    """Protobuf's JSON, with the field names of the contract."""
    return MessageToJson(message, preserving_proto_field_name=True, indent=indent)


def _coloured(cell: str) -> str:
    if cell.isupper() and cell.replace("_", "").isalpha():
        return f"[{_COLOURS.get(cell, _OTHER_STATE)}]{cell}[/]"
    return escape(cell)
