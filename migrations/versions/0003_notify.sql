DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_notifier') THEN
        CREATE ROLE clinic_notifier NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA notify;

-- How far each partition of a topic is taken in; see `infra.event_consumer`.
CREATE TABLE notify.progress (
    topic         text     NOT NULL,
    partition     smallint NOT NULL,
    topic_id      uuid     NOT NULL, -- Kafka's (KIP-516): a topic made again has another
    next_offset   bigint   NOT NULL,
    last_sequence bigint   NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);

GRANT USAGE ON SCHEMA notify TO clinic_notifier;
GRANT SELECT, INSERT, UPDATE ON notify.progress TO clinic_notifier;
