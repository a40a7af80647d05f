-- What a new PostgreSQL is given, once, before it takes its first connection: the database of one
-- service and its two roles, walled off from every other role. `psql` runs it as the superuser,
-- inside the container; SERVICE names the service, and the passwords are files.

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

-- The image wants a password for its superuser, and was given the owner's. Without any, nobody
-- comes in as the superuser from outside the container.
ALTER ROLE CURRENT_USER PASSWORD NULL;
