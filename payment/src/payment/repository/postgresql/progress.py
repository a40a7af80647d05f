"""Shows in PostgreSQL whether the event stream and recovery go on."""

from collections.abc import Sequence
from datetime import timedelta

from chassis.database import Pool

# The first event behind the bound that `events` reads up to.
OLDEST_HIDDEN_EVENT = """
SELECT clock_timestamp() - event_time FROM payment_events
 WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, payment_id, sequence LIMIT 1
"""

LONGEST_DUE = """
SELECT clock_timestamp() - least((SELECT min(due_time) FROM payments),
                                 (SELECT min(due_time) FROM refunds))
"""

# Every transaction with a transaction id, the oldest first, in any database of the cluster, since
# databases share the ids. Our role does not see what sessions of other roles do. Snapshots that only
# read, standbys and replication slots hold back vacuum, but not the stream. No query text is shown.
BLOCKERS = """
SELECT format('process %s in database %s (%s)', pid, coalesce(datname, '-'),
              coalesce(state || ' for ' || round(extract(epoch FROM
                       clock_timestamp() - xact_start)) || ' s', 'of another role')) AS words,
       age(backend_xid) AS age
  FROM pg_stat_activity WHERE backend_xid IS NOT NULL
 UNION ALL
SELECT format('a transaction prepared in database %s at %s', database, prepared), age(transaction)
  FROM pg_prepared_xacts
 ORDER BY age DESC LIMIT 3
"""


class PostgresProgress:
    """A ProgressReader on a pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def oldest_hidden_event(self) -> timedelta | None:
        age: timedelta | None = await self._pool.fetchval(OLDEST_HIDDEN_EVENT)
        return age

    async def stream_blockers(self) -> Sequence[str]:
        return [row["words"] for row in await self._pool.fetch(BLOCKERS)]

    async def longest_due(self) -> timedelta | None:
        age: timedelta | None = await self._pool.fetchval(LONGEST_DUE)
        return age
