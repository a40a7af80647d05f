"""`python -m payment rebind`: binds a restored database of payments to the cluster it is in now."""

import sys
from collections.abc import Mapping

from chassis.rebinding import rebind
from chassis.settings import read
from payment.repository.postgresql import SCHEMA_VERSION
from payment.settings import MigrationSettings

RECONCILE_SINCE = """
SELECT coalesce(max(update_time), (SELECT create_time FROM installation)) - interval '1 hour'
  FROM payments
"""
"""The database is reconciled from the last change that the backup has: what came after it is at the
processor alone. The hour is for a payment that was in progress, and for clocks that differ.
"""

LOWER_EVENTS = """
ALTER TABLE payment_events DISABLE TRIGGER events_stay;
ALTER TABLE payments DISABLE TRIGGER versions_follow;

WITH below AS (
    SELECT pg_current_xact_id()::text::numeric - 1 AS highest
     WHERE (SELECT max(xid) FROM payment_events) >= pg_current_xact_id()
), ranked AS (
    SELECT xid, row_number() OVER (ORDER BY xid) AS rank, count(*) OVER () AS ranks
      FROM (SELECT DISTINCT xid FROM payment_events) AS xids
), lowered AS (
    SELECT xid, div(rank * highest, ranks)::text::xid8 AS lower_xid FROM ranked, below
)
UPDATE payment_events SET xid = lower_xid FROM lowered WHERE payment_events.xid = lowered.xid;

UPDATE payments SET event_xid = xid FROM payment_events
 WHERE payment_id = id AND sequence = version AND event_xid <> xid;

ALTER TABLE payments ENABLE TRIGGER versions_follow;
ALTER TABLE payment_events ENABLE TRIGGER events_stay;
"""
"""The event stream is in the order of transaction ids, which begin anew in a new cluster: old events
would come after all new ones, and readers would miss those. So old events get ids below this
transaction's, in their order. Where there are too few ids, some events share one, and are in the order of
payment and sequence. No cursor stands at any of them: those are of an earlier generation.
"""


async def run(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Rebinds the database and prints what it is now. Raises StartupError."""
    message = await rebind(
        read(MigrationSettings, environ),
        arguments,
        schema_version=SCHEMA_VERSION,
        reconcile_since=RECONCILE_SINCE,
        repair=LOWER_EVENTS,
    )
    sys.stdout.write(f"{message}\n")
