"""What a restored database of payments needs before it may act again. Run by its owner."""

RECONCILE_SINCE = """
SELECT coalesce(max(update_time), (SELECT create_time FROM installation)) - interval '1 hour'
  FROM payments
"""
"""From the last thing that a backup knows: what came after it is at the processor alone. The hour is
for a payment that was on its way, and for clocks that differ.
"""

LOWER_PLACES = """
ALTER TABLE payment_events DISABLE TRIGGER events_stay;
ALTER TABLE payments DISABLE TRIGGER versions_follow;

WITH bound AS (
    SELECT pg_current_xact_id()::text::numeric - 1 AS highest
     WHERE (SELECT max(xid) FROM payment_events) >= pg_current_xact_id()
), ranked AS (
    SELECT xid, row_number() OVER (ORDER BY xid) AS rank, count(*) OVER () AS ranks
      FROM (SELECT DISTINCT xid FROM payment_events) AS places
), lowered AS (
    SELECT xid, div(rank * highest, ranks)::text::xid8 AS place FROM ranked, bound
)
UPDATE payment_events SET xid = place FROM lowered WHERE payment_events.xid = lowered.xid;

UPDATE payments SET event_xid = xid FROM payment_events
 WHERE payment_id = id AND sequence = version AND event_xid <> xid;

ALTER TABLE payments ENABLE TRIGGER versions_follow;
ALTER TABLE payment_events ENABLE TRIGGER events_stay;
"""
"""Where a dump is restored, transaction ids begin anew: old events would stand behind all new ones,
and hide them from whoever reads on. So they are moved below this transaction, in their order; where
there is no room for all, some share a place, and payment and sequence order them there. Nobody has a
cursor to any of them: those are of an earlier generation.
"""
