"""The invariants that the explorer and the simulator use, on the real tables and the real ledger."""

import json
from datetime import UTC, datetime
from itertools import chain

import asyncpg

from oncepay_cli.local.postgresql import SUPERUSER
from payment.repository.postgresql import rows
from sandbox.objects import Intent, Refund
from verification.chaos.arena import Arena
from verification.chaos.ledger import books
from verification.chaos.oracle import RULE, Finding
from verification.chaos.proxy import HOST
from verification.world.invariants import InternalRecords, always, at_rest

REFUNDS = """
SELECT refunds.*, intent_id, currency_code FROM refunds JOIN payments ON payments.id = payment_id
"""


async def broken_rules(arena: Arena) -> list[Finding]:
    """What breaks one of them, now that everything is at rest."""
    connection = await asyncpg.connect(
        host=HOST,
        port=arena.database_port,
        user=SUPERUSER,
        password=arena.database.server.password,
        database="payment",
    )
    try:
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        payments = [rows.payment(row) for row in await connection.fetch("SELECT * FROM payments")]
        refunds = [rows.refund(row) for row in await connection.fetch(REFUNDS)]
    finally:
        await connection.close()
    processor = books(arena.paths.sandbox / "ledger.jsonl")
    intents = [one for one in processor.newest("payment_intent", None) if isinstance(one, Intent)]
    returned = [one for one in processor.newest("refund", None) if isinstance(one, Refund)]
    sides = InternalRecords(payments, refunds, intents, returned)
    return [
        Finding(RULE, words) for words in chain(always(sides), at_rest(sides, datetime.now(UTC)))
    ]
