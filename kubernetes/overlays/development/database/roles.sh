# Run once by the image, when the data directory is new. The database has the name of the service's
# role, belongs to the owner, and is open to these two alone. Nobody else gets in over the network:
# the superuser loses its password here. The image's own shell reads this, and ends at the first error.
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
