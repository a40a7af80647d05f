-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- A copy within one PostgreSQL (CREATE DATABASE ... TEMPLATE) has the system identifier of what it was
-- copied from, and an oid of its own.
ALTER TABLE installation ADD COLUMN database_oid oid;
-- Where it stands, the database is closed until it was compared with the world from there on. Nothing
-- outside knows of Customer's rows: it stays empty here.
ALTER TABLE installation ADD COLUMN compare_since timestamptz;
UPDATE installation
   SET database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());

-- migrate:down
