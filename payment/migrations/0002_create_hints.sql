-- migrate:up
-- squawk-ignore-file prefer-text-field
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- What the processor told us of its own accord, by webhook, of payments of ours: only that it did,
-- never what it said, which may hold personal details and is asked for anyway. A row is written by
-- the statement that makes the payment or the refund due, so whatever is here has done its work; it
-- stays only so that the same event does not do it twice.
CREATE TABLE hints (
    id varchar(255) PRIMARY KEY,                -- the event's, made by the processor
    payment_id uuid NOT NULL REFERENCES payments (id),
    receive_time timestamptz NOT NULL DEFAULT now(),
    type varchar(255) NOT NULL                  -- in the processor's words, for people
);
-- Each one that is stored takes the two oldest with it, once they are too old to come again.
CREATE INDEX hints_received ON hints (receive_time);

CREATE TRIGGER hints_stay_as_they_are BEFORE UPDATE OR TRUNCATE ON hints
    EXECUTE FUNCTION refuse('hints are written once');

-- The right to update serves SELECT FOR UPDATE alone: the trigger refuses every update.
GRANT SELECT, INSERT (id, payment_id, type), UPDATE (receive_time), DELETE ON hints TO payment;

-- migrate:down
