-- One database with two roles: <name>_owner, which migrates and is never a service, and <name>, which
-- the service runs as and which can do to the tables exactly what `rights` says. Run by a superuser:
--
--   psql -v name=account    -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--   psql -v name=sharing    -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--   psql -v name=audit      -v rights='SELECT, INSERT'                 -f database.sql
--   psql -v name=audit_keys -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--
-- The log takes inserts alone: whoever holds the service's password cannot rewrite history, and the
-- triggers of the schema stop the owner's slips. Passwords are set apart, with \password.
\set ON_ERROR_STOP on
\set owner :name _owner
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE :"name" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"name";
\connect :"name"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"name";
-- For the tables that the owner is yet to make.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT :rights ON TABLES TO :"name";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO :"name";
ALTER ROLE :"name" SET statement_timeout = '10s';
ALTER ROLE :"name" SET idle_in_transaction_session_timeout = '10s';
