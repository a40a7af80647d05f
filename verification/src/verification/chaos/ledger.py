"""The processor's side after a run: what its ledger on the disk says of money, and of every intent."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sandbox.mutable_world import MutableWorld
from sandbox.sandbox import Sandbox
from sandbox.world import Rules
from verification.world.balance import Balance


def movements(ledger: Path) -> list[dict[str, Any]]:
    """Every movement in the file, in order. A torn last line was never answered."""
    found: list[dict[str, Any]] = []
    for line in ledger.read_bytes().split(b"\n")[:-1]:
        found += json.loads(line).get("movements", [])
    return found


def money_by_intent(moved: list[dict[str, Any]]) -> dict[str, Balance]:
    """The sum of the movements."""
    found: dict[str, Balance] = {}
    for movement in moved:
        intent, metadata = movement["intent"], movement["metadata"]
        money = found.setdefault(intent, Balance(intent, metadata.get("request_id", "")))
        money.move(movement["kind"], movement["amount"], metadata.get("refund", ""))
    return found


def processor_records(ledger: Path) -> MutableWorld:
    """The processor's objects, made again from a copy of its ledger."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ledger, Path(folder) / "ledger.jsonl")
        sandbox = Sandbox(Path(folder), Rules())
        return sandbox.world
