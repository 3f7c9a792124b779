-- An operator's orders to a consumer stand in the row of its position, which each of its transactions locks: so an
-- order comes before a transaction or after it, and holds across restarts.
ALTER TABLE booking.partition_progress ADD COLUMN paused_at timestamptz, ADD COLUMN skips bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE audit.progress ADD COLUMN paused_at timestamptz, ADD COLUMN skips bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE notify.progress ADD COLUMN paused_at timestamptz, ADD COLUMN skips bigint[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN booking.partition_progress.paused_at IS 'when an operator paused the partition; null if it goes on';
COMMENT ON COLUMN booking.partition_progress.skips IS 'offsets of commands that an operator wants to be set aside';
COMMENT ON COLUMN audit.progress.paused_at IS 'when an operator paused the partition; null if it goes on';
COMMENT ON COLUMN audit.progress.skips IS 'offsets of records that an operator wants to be left out';
COMMENT ON COLUMN notify.progress.paused_at IS 'when an operator paused the partition; null if it goes on';
COMMENT ON COLUMN notify.progress.skips IS 'offsets of records that an operator wants to be left out';

CREATE SCHEMA operator;
COMMENT ON SCHEMA operator IS 'What operators did by hand.';

-- Only the owner of the database writes here: the auditor could otherwise leave out events and call it an order.
CREATE TABLE operator.orders (
    id        uuid        PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    action    text        NOT NULL CHECK (action IN ('pause', 'resume', 'skip')),
    consumer  text        NOT NULL,
    topic     text        NOT NULL,
    partition smallint,
    "offset"  bigint      CHECK (("offset" IS NOT NULL) = (action = 'skip')),
    why       text
);

COMMENT ON TABLE operator.orders IS 'Orders to consumers, in the words of who gave them. Never changed.';
COMMENT ON COLUMN operator.orders.id IS 'of a skip: derived from consumer, topic, partition and offset (`infra.kafka.skipping`)';
COMMENT ON COLUMN operator.orders.at IS 'when it was given';
COMMENT ON COLUMN operator.orders.action IS 'pause, resume or skip';
COMMENT ON COLUMN operator.orders.consumer IS 'worker, auditor, auditor-security, notifier or notifier-codes';
COMMENT ON COLUMN operator.orders.topic IS 'topic that the consumer reads, with its namespace';
COMMENT ON COLUMN operator.orders.partition IS 'partition that it is about; null for all of them';
COMMENT ON COLUMN operator.orders."offset" IS 'record to skip';
COMMENT ON COLUMN operator.orders.why IS 'reason, in an operator''s words';

-- `clinic audit verify` looks up the order behind each entry that says that its event was left out.
GRANT USAGE ON SCHEMA operator TO clinic_auditor;
GRANT SELECT ON operator.orders TO clinic_auditor;
CREATE INDEX entries_skipped ON audit.entries (chain, partition, number) WHERE action = 'RecordSkipped';
