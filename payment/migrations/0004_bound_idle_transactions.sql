-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- A transaction that has written and waits holds back every event after it, from every reader. The
-- service bounds its own more tightly; this is for whoever else is in this database, a person at a
-- prompt most likely. pg_dump sets its own. It holds from the next connection on.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L',
                   current_database(), '1min');
END $$;

-- migrate:down
