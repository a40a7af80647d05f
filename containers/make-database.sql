-- Creates the database of one service and its two roles; no other role may connect. The image runs it once,
-- with `psql` as the superuser, when the data directory is new. SERVICE names the service; the passwords are
-- files.

\getenv service SERVICE
\set owner :service _owner
\set password `cat /run/secrets/password`
\set owner_password `cat /run/secrets/owner_password`

CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'password';

CREATE DATABASE :"service" OWNER :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"owner", :"service";
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;

-- The image requires a password for its superuser and was given the owner's. Without a password nobody can
-- log in as the superuser from outside the container.
ALTER ROLE CURRENT_USER PASSWORD NULL;
