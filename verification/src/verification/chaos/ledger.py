"""The processor's side: what its ledger on the disk says of money, and of every intent."""

import json
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.mutable_world import MutableWorld
from sandbox.sandbox import Sandbox
from sandbox.world import Rules


@dataclass
class Money:
    """What moved under one intent, in its currency's minor unit.

    Attributes:
        request_id: who asked, as the intent's metadata has it.
        times: how often money was taken or held anew: more than once is a card charged twice.
        refunds: what went back under each of our refunds' ids, one entry a movement.
    """

    intent: str
    request_id: str
    currency: str
    times: int = 0
    held: int = 0
    captured: int = 0
    refunds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def has_money(self) -> bool:
        """Whether the card was charged, or money on it is held. A refund does not undo it."""
        return self.captured > 0 or self.held > 0


def movements(ledger: Path) -> list[dict[str, Any]]:
    """Every movement in the file, in order. A torn last line was never answered."""
    found: list[dict[str, Any]] = []
    for line in ledger.read_bytes().split(b"\n")[:-1]:
        found += json.loads(line).get("movements", [])
    return found


def money(moved: list[dict[str, Any]]) -> dict[str, Money]:
    """The sum of the movements, by intent."""
    found: dict[str, Money] = {}
    for one in moved:
        metadata = one["metadata"]
        at = found.setdefault(
            one["intent"],
            Money(one["intent"], metadata.get("request_id", ""), one["currency"].upper()),
        )
        _move(at, one["kind"], one["amount"], metadata.get("refund", ""))
    return found


def _move(at: Money, kind: str, amount: int, refund: str) -> None:
    match kind:
        case "authorized":
            at.held += amount
            at.times += 1
        case "released":
            at.held -= amount
        case "captured" if at.held:
            at.held -= amount
            at.captured += amount
        case "captured":
            at.captured += amount
            at.times += 1
        case "refunded":
            at.refunds[refund].append(amount)
        case "returned":
            at.refunds[refund].append(-amount)


def books(ledger: Path) -> MutableWorld:
    """The processor's objects, made again from a copy of its ledger."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ledger, Path(folder) / "ledger.jsonl")
        sandbox = Sandbox(Path(folder), Rules())
        return sandbox.world
