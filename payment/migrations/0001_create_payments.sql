-- migrate:up
-- squawk-ignore-file prefer-text-field
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- The installation, in one row. A service that finds the row in another PostgreSQL, or in another
-- database of this one (CREATE DATABASE ... TEMPLATE copies the system identifier, and not the oid),
-- refuses to start: it would be a
-- copy, and both would move money.
CREATE TABLE installation (
    id uuid NOT NULL,
    generation bigint NOT NULL,                 -- grows when the database is rebound
    system_identifier numeric NOT NULL,
    database_oid oid NOT NULL,
    page_token_key bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    reconcile_since timestamptz,                -- set by a rebinding, until a reconciliation from there on
    -- One row only.
    only_row boolean PRIMARY KEY DEFAULT true,
    CONSTRAINT one_row CHECK (only_row),
    CONSTRAINT key_of_256_bits CHECK (length(page_token_key) = 32)
);
INSERT INTO installation (id, generation, system_identifier, database_oid, page_token_key)
SELECT gen_random_uuid(), 1, system_identifier, oid,
       sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea)
  FROM pg_control_system(), pg_database
 WHERE datname = current_database();

-- Enums, and lengths in the types: PostgreSQL parses the text of each CHECK anew for every
-- statement (measured: 15 of them cost a quarter of its time for a payment). One is worth it.
CREATE TYPE payment_state AS ENUM ('CONFIRMING', 'REQUIRES_ACTION', 'AUTHORIZED', 'CAPTURING',
    'CANCELING', 'SUCCEEDED', 'FAILED', 'CANCELED');
CREATE TYPE public_state AS ENUM ('PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED', 'FAILED',
    'CANCELED');
CREATE TYPE capture_method AS ENUM ('AUTOMATIC', 'MANUAL');
CREATE TYPE cancel_reason AS ENUM ('DECLINE', 'USER', 'EXPIRED');
CREATE TYPE refund_state AS ENUM ('PENDING', 'SUCCEEDED', 'FAILED');
CREATE TYPE refund_reason AS ENUM ('duplicate', 'fraudulent', 'requested_by_customer');
CREATE TYPE event_type AS ENUM ('payment.created', 'payment.requires_action',
    'payment.authorized', 'payment.capture_requested', 'payment.cancel_requested',
    'payment.declined', 'payment.expired', 'payment.succeeded', 'payment.failed',
    'payment.canceled', 'payment.held', 'payment.released', 'payment.updated', 'payment.deleted',
    'payment.undeleted', 'refund.created', 'refund.updated', 'refund.succeeded', 'refund.failed');

CREATE TABLE payments (
    id uuid PRIMARY KEY,                        -- UUIDv7, made by the service
    request_id uuid NOT NULL UNIQUE,
    customer_id uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    delete_time timestamptz,
    due_time timestamptz,                       -- when to look at it again; NULL: never
    start_by timestamptz NOT NULL,
    action_by timestamptz,
    capture_before timestamptz,
    held_time timestamptz,
    amount bigint NOT NULL,                     -- all amounts in minor units
    amount_capturing bigint NOT NULL DEFAULT 0,
    amount_captured bigint NOT NULL DEFAULT 0,
    amount_refunded bigint NOT NULL DEFAULT 0,  -- the refunds that have not failed
    idempotency_counter bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,          -- and the sequence of its last event
    attempt bigint NOT NULL DEFAULT 0,          -- looks at it since its last event
    event_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),   -- where that event is in the stream
    state payment_state NOT NULL DEFAULT 'CONFIRMING',
    capture_method capture_method NOT NULL,
    cancel_reason cancel_reason,
    -- What lists filter by, as the contract shows it. Nearly all payments have SUCCEEDED: they
    -- are NULL here, and have no place in an index of the few. Generated, because a bound
    -- `state = $1` never proves `WHERE state <> 'SUCCEEDED'`: that index would not be used.
    public_state public_state GENERATED ALWAYS AS (CASE state
        WHEN 'CONFIRMING' THEN 'PROCESSING'::public_state
        WHEN 'CAPTURING' THEN 'PROCESSING'::public_state
        WHEN 'CANCELING' THEN 'PROCESSING'::public_state
        WHEN 'REQUIRES_ACTION' THEN 'REQUIRES_ACTION'::public_state
        WHEN 'AUTHORIZED' THEN 'AUTHORIZED'::public_state
        WHEN 'FAILED' THEN 'FAILED'::public_state
        WHEN 'CANCELED' THEN 'CANCELED'::public_state
        END) STORED,
    holds_reference boolean GENERATED ALWAYS AS
        (reference IS NOT NULL AND state NOT IN ('FAILED', 'CANCELED')) STORED,
    currency_code varchar(3) NOT NULL,
    fingerprint bytea NOT NULL,                 -- of the request
    -- Intent first: no payment without its intent, no intent with two payments.
    intent_id varchar(255) NOT NULL UNIQUE,
    payment_method varchar(255) NOT NULL,
    customer_etag text NOT NULL,
    reference varchar(128),
    return_url varchar(2000),
    description varchar(1000) NOT NULL,
    metadata jsonb NOT NULL,
    -- What the processor says is never cut or refused for its length.
    redirect_url text NOT NULL DEFAULT '',
    failure jsonb,
    held_reason text,

    CONSTRAINT money_adds_up CHECK (amount > 0
        AND amount_capturing BETWEEN 0 AND amount
        AND amount_captured BETWEEN 0 AND amount
        AND (amount_captured > 0) = (state = 'SUCCEEDED')
        AND amount_refunded BETWEEN 0 AND amount_captured)
) WITH (fillfactor = 80);    -- a later version finds room beside the first; a refund's is HOT

-- One charge for a reference: among the living. Failed ones are found by it, too.
CREATE UNIQUE INDEX payments_living_reference ON payments (reference) WHERE holds_reference;
CREATE INDEX payments_reference ON payments (reference, create_time, id)
    WHERE reference IS NOT NULL;
-- Every step writes it, so that none is a HOT update. A table of its own for what is due would make
-- them so, and was not faster (measured).
CREATE INDEX payments_due ON payments (due_time) WHERE due_time IS NOT NULL;

-- Lists, in both directions. The deleted are apart, or a page would walk over all of them; a list
-- with them joins the two halves.
CREATE INDEX payments_list ON payments (create_time, id) WHERE delete_time IS NULL;
CREATE INDEX payments_list_deleted ON payments (create_time, id) WHERE delete_time IS NOT NULL;
CREATE INDEX payments_customer ON payments (customer_id, create_time, id)
    WHERE delete_time IS NULL;
CREATE INDEX payments_customer_deleted ON payments (customer_id, create_time, id)
    WHERE delete_time IS NOT NULL;
CREATE INDEX payments_state ON payments (public_state, create_time, id)
    WHERE public_state IS NOT NULL AND delete_time IS NULL;
CREATE INDEX payments_state_deleted ON payments (public_state, create_time, id)
    WHERE public_state IS NOT NULL AND delete_time IS NOT NULL;
CREATE INDEX payments_held ON payments (create_time, id) WHERE held_time IS NOT NULL;

-- Written in the statement that makes the payment's version; xid and sequence come from its row.
CREATE TABLE payment_events (
    payment_id uuid NOT NULL,
    refund_id uuid,
    xid xid8 NOT NULL,
    sequence bigint NOT NULL,
    event_time timestamptz NOT NULL DEFAULT now(),
    type event_type NOT NULL,
    state payment_state NOT NULL,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (payment_id, sequence)
);
CREATE INDEX payment_events_stream ON payment_events (xid, payment_id, sequence);

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    due_time timestamptz,
    amount bigint NOT NULL CONSTRAINT amount_is_positive CHECK (amount > 0),
    version bigint NOT NULL DEFAULT 1,
    attempt bigint NOT NULL DEFAULT 0,
    state refund_state NOT NULL DEFAULT 'PENDING',
    reason refund_reason,
    processor_id varchar(255) UNIQUE,
    failure jsonb
) WITH (fillfactor = 80);
CREATE INDEX refunds_list ON refunds (payment_id, create_time, id);
CREATE INDEX refunds_due ON refunds (due_time) WHERE due_time IS NOT NULL;

-- The request_ids of captures, cancellations and refunds, for ever.
CREATE TABLE requests (
    request_id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    refund_id uuid,
    fingerprint bytea NOT NULL
);

-- Webhooks of the processor about our payments: that one came, never what it said, which may hold
-- personal details and is asked for anyway. The statement that inserts a row also makes the payment or
-- the refund due. A row stays only so that the same event has no second effect.
CREATE TABLE webhook_notifications (
    id varchar(255) PRIMARY KEY,                -- the event's, made by the processor
    payment_id uuid NOT NULL REFERENCES payments (id),
    receive_time timestamptz NOT NULL DEFAULT now(),
    type varchar(255) NOT NULL                  -- the processor's name of the event type
);
-- Each insert deletes the two oldest rows that are too old to come again.
CREATE INDEX webhook_notifications_received ON webhook_notifications (receive_time);

-- What no code may do, ours or a person's. A trigger whose WHEN does not hold costs nothing that
-- could be measured.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER request_never_changes BEFORE UPDATE ON payments FOR EACH ROW WHEN (
    (NEW.id, NEW.request_id, NEW.fingerprint, NEW.intent_id, NEW.customer_id, NEW.customer_etag,
     NEW.amount, NEW.currency_code, NEW.payment_method, NEW.capture_method, NEW.return_url,
     NEW.start_by, NEW.create_time) IS DISTINCT FROM
    (OLD.id, OLD.request_id, OLD.fingerprint, OLD.intent_id, OLD.customer_id, OLD.customer_etag,
     OLD.amount, OLD.currency_code, OLD.payment_method, OLD.capture_method, OLD.return_url,
     OLD.start_by, OLD.create_time)
) EXECUTE FUNCTION refuse('what a payment is created with never changes');

CREATE TRIGGER written_once BEFORE UPDATE ON payments FOR EACH ROW WHEN (
    OLD.reference IS NOT NULL AND NEW.reference IS DISTINCT FROM OLD.reference
    OR OLD.cancel_reason IS NOT NULL AND NEW.cancel_reason IS DISTINCT FROM OLD.cancel_reason
    OR OLD.amount_capturing > 0 AND NEW.amount_capturing <> OLD.amount_capturing
    OR OLD.amount_captured > 0 AND NEW.amount_captured <> OLD.amount_captured
) EXECUTE FUNCTION refuse('reference, reason and captured amounts are written once');

CREATE TRIGGER states_go_forward BEFORE UPDATE ON payments FOR EACH ROW WHEN (
    NEW.state <> OLD.state AND NOT CASE OLD.state
        WHEN 'CONFIRMING' THEN NEW.state IN
            ('REQUIRES_ACTION', 'AUTHORIZED', 'CANCELING', 'SUCCEEDED', 'CANCELED')
        WHEN 'REQUIRES_ACTION' THEN NEW.state IN
            ('AUTHORIZED', 'CANCELING', 'SUCCEEDED', 'CANCELED')
        WHEN 'AUTHORIZED' THEN NEW.state IN ('CAPTURING', 'CANCELING', 'SUCCEEDED', 'CANCELED')
        WHEN 'CAPTURING' THEN NEW.state IN ('SUCCEEDED', 'CANCELED')
        WHEN 'CANCELING' THEN NEW.state IN ('SUCCEEDED', 'FAILED', 'CANCELED')
        ELSE false END
) EXECUTE FUNCTION refuse('states only go forward, and a final one stays');

CREATE TRIGGER only_failures_are_deleted BEFORE UPDATE ON payments FOR EACH ROW WHEN (
    NEW.delete_time IS NOT NULL
    AND (NEW.state NOT IN ('FAILED', 'CANCELED') OR NEW.held_time IS NOT NULL)
) EXECUTE FUNCTION refuse('only what ended without money is deleted');

-- A version is an event. Without one, only the idempotency counter and the schedule move.
CREATE TRIGGER versions_follow BEFORE UPDATE ON payments FOR EACH ROW WHEN (
    NEW.idempotency_counter NOT IN (OLD.idempotency_counter, OLD.idempotency_counter + 1)
    OR NEW.version NOT IN (OLD.version, OLD.version + 1)
    OR NEW.event_xid < OLD.event_xid
    OR NEW.version = OLD.version AND
    (NEW.state, NEW.cancel_reason, NEW.amount_capturing, NEW.amount_captured, NEW.amount_refunded,
     NEW.action_by, NEW.capture_before, NEW.redirect_url, NEW.failure, NEW.held_time,
     NEW.held_reason, NEW.delete_time, NEW.update_time, NEW.reference, NEW.description,
     NEW.metadata, NEW.event_xid) IS DISTINCT FROM
    (OLD.state, OLD.cancel_reason, OLD.amount_capturing, OLD.amount_captured, OLD.amount_refunded,
     OLD.action_by, OLD.capture_before, OLD.redirect_url, OLD.failure, OLD.held_time,
     OLD.held_reason, OLD.delete_time, OLD.update_time, OLD.reference, OLD.description,
     OLD.metadata, OLD.event_xid)
) EXECUTE FUNCTION refuse('a change is the next version');

CREATE TRIGGER refunds_go_forward BEFORE UPDATE ON refunds FOR EACH ROW WHEN (
    (NEW.id, NEW.payment_id, NEW.amount, NEW.reason, NEW.create_time) IS DISTINCT FROM
    (OLD.id, OLD.payment_id, OLD.amount, OLD.reason, OLD.create_time)
    OR OLD.processor_id IS NOT NULL AND NEW.processor_id IS DISTINCT FROM OLD.processor_id
    OR NEW.state < OLD.state
    OR NEW.version NOT IN (OLD.version, OLD.version + 1)
    OR NEW.version = OLD.version AND
    (NEW.state, NEW.processor_id, NEW.failure, NEW.update_time) IS DISTINCT FROM
    (OLD.state, OLD.processor_id, OLD.failure, OLD.update_time)
) EXECUTE FUNCTION refuse('a refund keeps its request, and goes forward by versions');

CREATE TRIGGER payments_stay BEFORE DELETE OR TRUNCATE ON payments
    EXECUTE FUNCTION refuse('payments stay for ever');
CREATE TRIGGER refunds_stay BEFORE DELETE OR TRUNCATE ON refunds
    EXECUTE FUNCTION refuse('refunds stay for ever');
CREATE TRIGGER requests_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON requests
    EXECUTE FUNCTION refuse('requests are written once, and stay for ever');
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
    EXECUTE FUNCTION refuse('events are written once, and stay for ever');
CREATE TRIGGER webhook_notifications_never_change BEFORE UPDATE OR TRUNCATE ON webhook_notifications
    EXECUTE FUNCTION refuse('webhook notifications are written once');

-- A transaction that has written and then idles holds back every event after it, from every reader. The
-- service bounds its own transactions more tightly; this bounds everybody else's in this database, such as
-- a person's at a prompt. pg_dump sets its own limit. It holds from the next connection on.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L',
                   current_database(), '1min');
END $$;

-- The service's role. It can insert a payment only with these defaults: CONFIRMING, nothing captured.
GRANT SELECT ON installation, schema_migrations, payments, payment_events, refunds, requests
    TO payment;
GRANT INSERT (id, request_id, fingerprint, customer_id, customer_etag, amount, currency_code,
              payment_method, capture_method, return_url, description, reference, metadata,
              intent_id, start_by, due_time) ON payments TO payment;
GRANT UPDATE (update_time, delete_time, due_time, action_by, capture_before, held_time,
              held_reason, amount_capturing, amount_captured, amount_refunded,
              idempotency_counter, version, attempt, event_xid, state, cancel_reason, reference, description, metadata, redirect_url,
              failure) ON payments TO payment;
GRANT INSERT (payment_id, refund_id, xid, sequence, type, state, note)
    ON payment_events TO payment;
GRANT INSERT (id, payment_id, amount, reason, due_time) ON refunds TO payment;
GRANT UPDATE (update_time, due_time, version, attempt, state, processor_id, failure)
    ON refunds TO payment;
GRANT INSERT ON requests TO payment;
-- The right to update serves SELECT FOR UPDATE alone: the trigger refuses every update.
GRANT SELECT, INSERT (id, payment_id, type), UPDATE (receive_time), DELETE
    ON webhook_notifications TO payment;
GRANT UPDATE (reconcile_since) ON installation TO payment;

-- migrate:down
