"""The invariants of the explorer and the simulator, on the real tables and the real ledger."""

from datetime import UTC, datetime
from itertools import chain

from payment.repository.postgresql import rows
from sandbox.objects import Intent, Refund
from verification.chaos.ledger import processor_records
from verification.chaos.oracle import INVARIANT, Finding
from verification.chaos.testbed import Testbed
from verification.world.invariants import Records, quiescence, safety

REFUNDS = """
SELECT refunds.*, intent_id, currency_code FROM refunds JOIN payments ON payments.id = payment_id
"""


async def broken_invariants(testbed: Testbed) -> list[Finding]:
    """What breaks one of them, now that nothing is in progress."""
    payments = [rows.payment(row) for row in await testbed.rows("SELECT * FROM payments")]
    refunds = [rows.refund(row) for row in await testbed.rows(REFUNDS)]
    processor = processor_records(testbed.ledger)
    intents = [
        item for item in processor.newest("payment_intent", None) if isinstance(item, Intent)
    ]
    returned = [item for item in processor.newest("refund", None) if isinstance(item, Refund)]
    sides = Records(payments, refunds, intents, returned)
    broken = chain(safety(sides), quiescence(sides, datetime.now(UTC)))
    return [Finding(INVARIANT, message) for message in broken]
