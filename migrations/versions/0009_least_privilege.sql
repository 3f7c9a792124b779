-- Nobody connects, makes temporary tables or anything in `public` who was not told that they may.
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO clinic_ingress, clinic_worker, clinic_auditor, clinic_notifier',
        current_database()
    );
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- The operators of btree_gist, which the exclusion constraints of the book use, are in `public`.
GRANT USAGE ON SCHEMA public TO clinic_ingress, clinic_worker, clinic_auditor, clinic_notifier;
REVOKE EXECUTE ON FUNCTION audit.make_month(date), audit.drop_month(date), audit.refuse_change(), notify.wake_up()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.make_month(date), audit.drop_month(date) TO clinic_auditor;

-- Large objects and advisory locks belong to no table, so that no privilege on a table keeps roles from filling
-- the disk or blocking each other with them. Only a superuser can take these functions from everybody.
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
            AND (p.proname ~ '^pg_(try_)?advisory_' OR p.proname ~ '^lo(_|read|write)' OR p.proname = 'lowrite')
            AND p.prorettype <> 'trigger'::regtype
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
    -- Months are dropped by one auditor at a time.
    GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO clinic_auditor;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'large objects and advisory locks stay open to all roles: that takes a superuser';
END
$$;

-- A statement that runs away ends, before its service takes the server for dead: one that learns that it was too much
-- tries less at a time.
ALTER ROLE clinic_ingress SET statement_timeout = '15s';
ALTER ROLE clinic_worker SET statement_timeout = '15s';
ALTER ROLE clinic_notifier SET statement_timeout = '15s';
ALTER ROLE clinic_auditor SET statement_timeout = '15s';
