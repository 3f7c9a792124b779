-- Events on the topic carry a MAC. One without is compared with the table by whoever reads it; the trail is
-- compared with it by `clinic audit verify`.
GRANT USAGE ON SCHEMA booking TO clinic_auditor, clinic_notifier;
GRANT SELECT ON booking.events TO clinic_auditor, clinic_notifier;

ALTER TABLE booking.partition_progress ADD COLUMN authenticated boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN booking.partition_progress.authenticated IS
    'true once a worker that adds MACs has taken up the partition: events that the table lacks need one';
