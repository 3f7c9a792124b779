DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_auditor') THEN
        CREATE ROLE clinic_auditor NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA audit;

-- How far each partition of a topic is taken in; see `infra.progress`.
CREATE TABLE audit.progress (
    topic         text     NOT NULL,
    partition     smallint NOT NULL,
    topic_id      uuid     NOT NULL, -- Kafka's (KIP-516): a topic made again has another
    next_offset   bigint   NOT NULL,
    last_sequence bigint   NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);

-- The trail: one chain per partition of a topic. `content` is canonical JSON (RFC 8785), `hash` covers it and
-- the hash before (`auditor.chain.hash_chain`). The columns before it repeat what it says, to be searched;
-- `clinic audit verify` compares them. `recorded_at` is outside of the hash: a chain that is made again from
-- the beginning has the same hashes.
CREATE TABLE audit.entries (
    chain          text        NOT NULL CHECK (chain IN ('booking', 'security')),
    partition      smallint    NOT NULL,
    number         bigint      NOT NULL CHECK (number > 0), -- without a gap in its chain
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    action         text        NOT NULL,
    actor_kind     text        NOT NULL,
    actor_id       uuid, -- null where nobody is known, as for a login that failed
    doctor_id      uuid,
    appointment_id uuid,
    patient_id     uuid,
    command_id     uuid,
    content        text        NOT NULL,
    hash           bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (chain, partition, number, occurred_at)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX entries_by_time ON audit.entries (occurred_at, chain, partition, number);
CREATE INDEX entries_by_appointment ON audit.entries (appointment_id, occurred_at) WHERE appointment_id IS NOT NULL;
CREATE INDEX entries_by_patient ON audit.entries (patient_id, occurred_at) WHERE patient_id IS NOT NULL;
-- Those who have many: along the chain, as `GET /v1/audit` reads them, block after block.
CREATE INDEX entries_by_doctor ON audit.entries (doctor_id, chain, partition, number) WHERE doctor_id IS NOT NULL;
CREATE INDEX entries_by_actor ON audit.entries (actor_id, chain, partition, number) WHERE actor_id IS NOT NULL;
CREATE INDEX entries_by_command ON audit.entries (command_id) WHERE command_id IS NOT NULL;

-- Where each chain ends: a signed head (see below) that moves with the entries, so that nothing can be put
-- behind it. `frontier` holds the roots of the complete subtrees of its Merkle tree (RFC 9162, section 2.1),
-- from the left, 32 bytes each: one per bit that is set in `size`. They make up `root`.
CREATE TABLE audit.chains (
    chain     text        NOT NULL CHECK (chain IN ('booking', 'security')),
    partition smallint    NOT NULL,
    size      bigint      NOT NULL CHECK (size > 0),
    root      bytea       NOT NULL,
    last_hash bytea       NOT NULL,
    signed_at timestamptz NOT NULL,
    key_id    text        NOT NULL,
    signature bytea       NOT NULL,
    frontier  bytea       NOT NULL,
    PRIMARY KEY (chain, partition)
) WITH (fillfactor = 20);

-- Signed tree heads: `signature` (Ed25519, RFC 8032) covers the canonical JSON of the other columns
-- (`contracts.audit.Head`).
CREATE TABLE audit.heads (
    chain     text        NOT NULL CHECK (chain IN ('booking', 'security')),
    partition smallint    NOT NULL,
    size      bigint      NOT NULL CHECK (size > 0),
    root      bytea       NOT NULL,
    last_hash bytea       NOT NULL,
    signed_at timestamptz NOT NULL,
    key_id    text        NOT NULL, -- `contracts.audit.key_id`
    signature bytea       NOT NULL,
    PRIMARY KEY (chain, partition, size)
);

-- What stays of months that are dropped: the hashes alone (32 bytes each), so that the rest of the chain, every
-- head and every proof can still be checked. `signature` covers the other columns (`contracts.audit.Stub`).
CREATE TABLE audit.stubs (
    chain        text        NOT NULL CHECK (chain IN ('booking', 'security')),
    partition    smallint    NOT NULL,
    first_number bigint      NOT NULL CHECK (first_number > 0),
    last_number  bigint      NOT NULL CHECK (first_number <= last_number),
    month        date        NOT NULL, -- its first day
    hashes       bytea       NOT NULL CHECK (octet_length(hashes) = 32 * (last_number - first_number + 1)),
    signed_at    timestamptz NOT NULL,
    key_id       text        NOT NULL,
    signature    bytea       NOT NULL,
    PRIMARY KEY (chain, partition, first_number),
    EXCLUDE USING gist (chain WITH =, partition WITH =, int8range(first_number, last_number, '[]') WITH &&)
);
ALTER TABLE audit.stubs ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress

-- How long entries are kept at least, whatever the auditor's settings say: `clinic migrate` writes it.
CREATE TABLE audit.retention (
    years smallint NOT NULL CHECK (years > 0),
    one   boolean  PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO audit.retention (years) VALUES (7);

-- The trail only grows: no role may do these things, and a trigger says no even to the owner.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit.% only grows: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.stubs
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON audit.chains
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- Make the partition of the month that holds this day (UTC). Idempotent. It is attached when it is complete:
-- that stops neither readers nor writers, unlike `CREATE TABLE … PARTITION OF`. A statement's trigger is not
-- inherited, so each month has its own.
CREATE FUNCTION audit.make_month(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    starts timestamp := date_trunc('month', day::timestamp);
    name   text      := to_char(starts, '"entries_"YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit.make_month'));
    IF to_regclass('audit.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.entries INCLUDING ALL)', name);
    EXECUTE format(
        'CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I
            FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()',
        name
    );
    EXECUTE format(
        'ALTER TABLE audit.entries ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
        name, starts AT TIME ZONE 'UTC', (starts + interval '1 month') AT TIME ZONE 'UTC'
    );
END
$$;

-- Drop the month that begins on this day, whose stubs are written already. Returns the number of its entries,
-- null if it is gone. Whatever is asked: nothing that is younger than `audit.retention` says, and nothing
-- whose hash no stub keeps. Whoever asks for the table queues behind this, so it does not wait long for it.
CREATE FUNCTION audit.drop_month(month date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    name  text := to_char(month, '"entries_"YYYY_MM');
    count bigint;
    lost  bigint;
    years integer := (SELECT r.years FROM audit.retention r);
BEGIN
    IF ((month + interval '1 month') AT TIME ZONE 'UTC' <= now() - make_interval(years => years)) IS NOT TRUE THEN
        RAISE EXCEPTION 'audit: % is younger than % years', month, years USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF to_regclass('audit.' || name) IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('LOCK TABLE audit.%I IN SHARE MODE', name); -- no more entries from here on
    EXECUTE format(
        'SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
            SELECT FROM audit.stubs s
            WHERE s.chain = e.chain AND s.partition = e.partition
                AND e.number BETWEEN s.first_number AND s.last_number
        )) FROM audit.%I e',
        name
    ) INTO count, lost;
    IF lost = 0 THEN
        EXECUTE format(
            'SELECT count(*) FROM audit.stubs s WHERE s.hashes <> (
                SELECT string_agg(e.hash, '''' ORDER BY e.number) FROM audit.%I e
                WHERE e.chain = s.chain AND e.partition = s.partition
                    AND e.number BETWEEN s.first_number AND s.last_number
            )',
            name
        ) INTO lost;
    END IF;
    IF lost > 0 THEN
        RAISE EXCEPTION 'audit: no stub keeps all hashes of %', month USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP TABLE audit.%I', name);
    RETURN count;
END
$$;

REVOKE EXECUTE ON FUNCTION audit.make_month(date), audit.drop_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.make_month(date), audit.drop_month(date) TO clinic_auditor;

GRANT USAGE ON SCHEMA audit TO clinic_auditor, clinic_ingress;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO clinic_auditor;
GRANT INSERT ON audit.entries, audit.heads, audit.stubs TO clinic_auditor;
GRANT INSERT, UPDATE ON audit.progress, audit.chains TO clinic_auditor;
GRANT SELECT ON audit.entries, audit.heads, audit.chains, audit.stubs TO clinic_ingress;
