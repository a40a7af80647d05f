-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- A copy within one PostgreSQL (CREATE DATABASE ... TEMPLATE) has the system identifier of what it was
-- copied from, and an oid of its own.
ALTER TABLE installation ADD COLUMN database_oid oid;
-- Set by an adoption, taken away by a reconciliation that began there or before: until then no service
-- acts on this database, as it may lack payments that were charged.
ALTER TABLE installation ADD COLUMN compare_since timestamptz;
UPDATE installation
   SET database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());
GRANT UPDATE (compare_since) ON installation TO payment;

-- migrate:down
