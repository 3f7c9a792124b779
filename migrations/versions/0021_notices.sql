-- Whoever's address was changed is told, however long Kafka, Redis or the notifier is away: the ingress plans that in the
-- transaction of the change. Its columns allow nothing but a planned `login_code`, which is what is urgent.
ALTER TABLE notify.notifications ADD COLUMN secret bytea;

COMMENT ON COLUMN notify.notifications.kind IS
    'confirmation, reschedule, cancellation, reminder, or login_code: all that is urgent, also notices of a changed '
    'address or a new passkey';
COMMENT ON COLUMN notify.notifications.secret IS
    'what a notice says and to which address, sealed; null once it is sent, its deadline has passed or the patient is '
    'forgotten, and for all others: a code''s secret is in Redis';

CREATE INDEX notifications_with_secret ON notify.notifications (deadline_at) WHERE secret IS NOT NULL;

GRANT INSERT (id, kind, challenge_id, patient_id, dated, due_at, deadline_at, secret) ON notify.notifications
    TO clinic_ingress;
GRANT SELECT (deadline_at, secret), UPDATE (secret) ON notify.notifications TO clinic_ingress;
