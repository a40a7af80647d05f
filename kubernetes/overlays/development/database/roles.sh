# Creates the service's database and its two roles. The image sources this file once, when the data
# directory is new, and stops at the first error. The database has the name of the service's role and
# belongs to the owner; no other role may connect. The superuser loses its password, so it cannot log in
# over the network.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
    --set user="$(cat /run/secrets/database/username)" \
    --set login="$(cat /run/secrets/database/password)" \
    --set owner="$(cat /run/secrets/database-owner/username)" \
    --set owner_login="$(cat /run/secrets/database-owner/password)" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', role, login)
  FROM (VALUES (:'owner', :'owner_login'), (:'user', :'login')) AS wanted (role, login) \gexec
CREATE DATABASE :"user" OWNER :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"user", postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE :"user" TO :"owner", :"user";
ALTER ROLE postgres PASSWORD NULL;
SQL
