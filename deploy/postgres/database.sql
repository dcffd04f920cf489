-- One database with two logins: <name>_owner, which migrates and is never a service, and <name>, which
-- the service runs as. What <name> may do it may as a member of accord_<name>. Run by a superuser:
--
--   psql -v name=account    -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--   psql -v name=sharing    -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--   psql -v name=audit      -v rights='SELECT'                         -f database.sql
--   psql -v name=audit_keys -v rights='SELECT, INSERT, UPDATE, DELETE' -f database.sql
--
-- The log's migration adds INSERT on the tables of the log, and nothing else: whoever holds the
-- service's password cannot rewrite history. Passwords are set apart, with \password.
\set ON_ERROR_STOP on
\set owner :name _owner
\set members accord_ :name
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE :"members" NOLOGIN;
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE IN ROLE :"members";
CREATE DATABASE :"name" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"members";
\connect :"name"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"members";
-- For the tables that the owner is yet to make.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT :rights ON TABLES TO :"members";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO :"members";
ALTER ROLE :"name" SET statement_timeout = '10s';
ALTER ROLE :"name" SET idle_in_transaction_session_timeout = '10s';
