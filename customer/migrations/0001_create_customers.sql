-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- The installation, in one row. A service that finds the row in another PostgreSQL, or in another
-- database of this one, refuses to start: the database is a copy. (CREATE DATABASE ... TEMPLATE copies
-- the system identifier, not the oid.)
CREATE TABLE installation (
    id uuid NOT NULL,
    generation bigint NOT NULL,                 -- grows when the database is rebound
    system_identifier numeric NOT NULL,
    database_oid oid NOT NULL,
    page_token_key bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    reconcile_since timestamptz,                -- always NULL: customers are kept nowhere else
    only_row boolean PRIMARY KEY DEFAULT true,
    CONSTRAINT one_row CHECK (only_row),
    CONSTRAINT key_of_256_bits CHECK (length(page_token_key) = 32)
);
INSERT INTO installation (id, generation, system_identifier, database_oid, page_token_key)
SELECT gen_random_uuid(), 1, system_identifier, oid,
       sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea)
  FROM pg_control_system(), pg_database
 WHERE datname = current_database();

CREATE TYPE customer_state AS ENUM ('ACTIVE', 'BLOCKED');

CREATE TABLE customers (
    id uuid PRIMARY KEY,                        -- UUIDv7, made by the service
    request_id uuid,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    delete_time timestamptz,
    erase_time timestamptz,
    version bigint NOT NULL DEFAULT 1,
    state customer_state NOT NULL,
    -- For an index of the few that are not ACTIVE: a bound `state = $1` never proves the predicate
    -- of an index `WHERE state <> 'ACTIVE'`; `rare_state = $1` does prove `rare_state IS NOT NULL`.
    rare_state customer_state
        GENERATED ALWAYS AS (CASE WHEN state <> 'ACTIVE' THEN state END) STORED,
    fingerprint bytea,                          -- of the request, if it had a request_id
    display_name varchar(200),
    email varchar(254),                         -- as the caller wrote it
    email_key varchar(762),                     -- folded by the service; can be three times longer
    phone varchar(16),
    reference varchar(128),
    metadata jsonb NOT NULL DEFAULT '{}',

    CONSTRAINT erased_is_empty CHECK (CASE WHEN erase_time IS NULL
        THEN num_nulls(display_name, email, email_key) = 0
        ELSE delete_time IS NOT NULL AND metadata = '{}'
             AND num_nonnulls(display_name, email, email_key, phone, fingerprint) = 0
        END),
    -- An absent text is NULL, never empty: two empty references would be the same one.
    CONSTRAINT no_empty_text CHECK (NOT '' IN (
        coalesce(display_name, '-'), coalesce(email, '-'), coalesce(email_key, '-'),
        coalesce(phone, '-'), coalesce(reference, '-')))
);

-- What no two customers share. A deleted customer's email is free again.
CREATE UNIQUE INDEX customers_request_id ON customers (request_id)
    WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX customers_email ON customers (email_key)
    WHERE email_key IS NOT NULL AND delete_time IS NULL;
CREATE UNIQUE INDEX customers_reference ON customers (reference)
    WHERE reference IS NOT NULL;

-- Lists, in both directions. Those without deleted customers have indexes of their own, or a page
-- would read all that were deleted.
CREATE INDEX customers_undeleted ON customers (create_time, id) WHERE delete_time IS NULL;
CREATE INDEX customers_all ON customers (create_time, id);
CREATE INDEX customers_rare_undeleted ON customers (rare_state, create_time, id)
    WHERE rare_state IS NOT NULL AND delete_time IS NULL;
CREATE INDEX customers_rare_all ON customers (rare_state, create_time, id)
    WHERE rare_state IS NOT NULL;
CREATE INDEX customers_email_all ON customers (email_key, create_time, id)
    WHERE email_key IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'customer %: an erased customer never changes, and a change raises the version by 1',
        OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER change_is_valid BEFORE UPDATE ON customers FOR EACH ROW
    WHEN (OLD.erase_time IS NOT NULL OR NEW.version <> OLD.version + 1)
    EXECUTE FUNCTION refuse_change();

-- What the service's role may do. It cannot write create_time, it cannot change what never changes,
-- and it cannot delete.
GRANT SELECT ON installation, schema_migrations, customers TO customer;
GRANT INSERT (id, request_id, state, fingerprint, display_name, email, email_key, phone, reference,
              metadata) ON customers TO customer;
GRANT UPDATE (update_time, delete_time, erase_time, version, state, fingerprint, display_name,
              email, email_key, phone, reference, metadata) ON customers TO customer;

-- migrate:down
