"""Two ordinary designs of a Payment service, for the comparison under chaos and for nothing else.

Proven: chaos is hard enough, and its oracle sees: both charge twice or lose payments in it. By
`make chaos DESIGN=charge_first` and `DESIGN=save_first`.

    charge_first.py   look it up, charge with the request_id as the key, save
    save_first.py     save, charge, and take what does not answer for a failure
    service.py        what both share: the server, the pool, the client of the processor

They are what one finds: careful, readable, with unique constraints, and without the one thing that
Oncepay is about. Both implement CreatePayment and GetPayment on the same processor and PostgreSQL.
"""

TABLE = """
DROP OWNED BY payment_owner CASCADE;  -- the tables of the Payment service, whose place this takes
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    reference text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    intent_id text,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ON payments (reference) WHERE reference <> '' AND state <> 'FAILED';
GRANT SELECT, INSERT, UPDATE ON payments TO payment;
"""
SCHEMAS = {"charge_first": TABLE, "save_first": TABLE}
"""The tables of each design, by its name."""
