DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_auditor') THEN
        CREATE ROLE clinic_auditor NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA audit;

-- How far each partition of a topic is taken in; see `infra.event_consumer`.
CREATE TABLE audit.progress (
    topic         text     NOT NULL,
    partition     smallint NOT NULL,
    topic_id      uuid     NOT NULL, -- Kafka's (KIP-516): a topic made again has another
    next_offset   bigint   NOT NULL,
    last_sequence bigint   NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);

GRANT USAGE ON SCHEMA audit TO clinic_auditor;
GRANT SELECT, INSERT, UPDATE ON audit.progress TO clinic_auditor;
