DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_notifier') THEN
        CREATE ROLE clinic_notifier NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA notify;

-- How far each partition of a topic is taken in; see `infra.progress`.
CREATE TABLE notify.progress (
    topic         text     NOT NULL,
    partition     smallint NOT NULL,
    topic_id      uuid     NOT NULL, -- Kafka's (KIP-516): a topic made again has another
    next_offset   bigint   NOT NULL,
    last_sequence bigint   NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);

-- What happened before this is told to nobody: a notifier that is new to an old log, or whose database was
-- rebuilt from it, reminds of the visits to come and mails nothing about the past.
CREATE TABLE notify.origin (at timestamptz NOT NULL DEFAULT now());
INSERT INTO notify.origin DEFAULT VALUES;

-- Doctors as mails name them. `visit_types` maps each code ever offered to its latest name.
CREATE TABLE notify.doctors (
    id          uuid  PRIMARY KEY,
    name        text  NOT NULL,
    specialty   text  NOT NULL,
    time_zone   text  NOT NULL,
    visit_types jsonb NOT NULL
);

-- The latest version of each appointment that was seen, with what its notifications say. `previous_…` is
-- where it was before a reschedule.
CREATE TABLE notify.appointments (
    id                  uuid        PRIMARY KEY,
    version             integer     NOT NULL CHECK (version > 0),
    patient_id          uuid        NOT NULL,
    doctor_id           uuid        NOT NULL,
    visit_type          text        NOT NULL,
    starts_at           timestamptz NOT NULL,
    ends_at             timestamptz NOT NULL,
    previous_doctor_id  uuid,
    previous_visit_type text,
    previous_starts_at  timestamptz,
    previous_ends_at    timestamptz,
    cancelled_by        text
);

-- One row per letter. Whom it goes to and what it says is looked up when it is sent: nothing here names
-- anybody. `state`: planned → sending (marked before the message is complete at the server) → sent; or
-- superseded by a newer version of the appointment; or, with `reason`: dropped (nobody needs it any more)
-- or undeliverable (somebody should look, `clinic notify retry`).
CREATE TABLE notify.notifications (
    id             uuid        PRIMARY KEY, -- derived (`notifier.deliver.identity`): planned twice, it is one row
    kind           text        NOT NULL CHECK (kind IN ('confirmation', 'reschedule', 'cancellation', 'reminder', 'login_code')),
    appointment_id uuid,
    version        integer,
    hours_before   integer,
    challenge_id   uuid,
    patient_id     uuid, -- null for the login code of somebody who is no patient
    state          text        NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'sending', 'sent', 'superseded', 'dropped', 'undeliverable')),
    reason         text        CHECK (reason IS NOT NULL OR state NOT IN ('dropped', 'undeliverable')),
    dated          timestamptz NOT NULL, -- the letter's date: of the event, or when a reminder falls due
    due_at         timestamptz NOT NULL, -- when to look at it next; while it is claimed, when the claim ends
    deadline_at    timestamptz NOT NULL, -- not sent from then on
    claim          integer     NOT NULL DEFAULT 0, -- counts its claims: the fence between two senders
    claimed_until  timestamptz, -- a sender has it until then
    tries          integer     NOT NULL DEFAULT 0, -- that failed
    sends          integer     NOT NULL DEFAULT 0, -- begun, and not known to have failed; more than one: the patient may have it twice
    channel        text, -- by which it goes, once a sender has looked
    finished_at    timestamptz,
    CHECK ((appointment_id IS NULL) = (version IS NULL)),
    CHECK ((kind = 'reminder') = (hours_before IS NOT NULL)),
    CHECK ((kind = 'login_code') = (challenge_id IS NOT NULL)),
    CHECK ((kind = 'login_code') = (appointment_id IS NULL)),
    CHECK ((finished_at IS NULL) = (state IN ('planned', 'sending')))
);

-- What is due is found here, however much is planned or done. Login codes have a line of their own.
CREATE INDEX notifications_due ON notify.notifications (due_at)
    WHERE state IN ('planned', 'sending') AND kind <> 'login_code';
CREATE INDEX notifications_codes_due ON notify.notifications (due_at)
    WHERE state IN ('planned', 'sending') AND kind = 'login_code';
-- What a newer version supersedes.
CREATE INDEX notifications_open ON notify.notifications (appointment_id)
    WHERE state IN ('planned', 'sending');
-- What somebody is sending at this moment: a newer letter about the same appointment waits for it.
CREATE INDEX notifications_claimed ON notify.notifications (appointment_id)
    WHERE claimed_until IS NOT NULL;
CREATE INDEX notifications_listed ON notify.notifications (state, dated);

-- Senders sleep until the next one is due; who puts something in front of it wakes them.
CREATE FUNCTION notify.wake_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('notify_due', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_up AFTER INSERT ON notify.notifications
    FOR EACH STATEMENT EXECUTE FUNCTION notify.wake_up();

GRANT USAGE ON SCHEMA notify, people TO clinic_notifier;
GRANT SELECT ON ALL TABLES IN SCHEMA notify TO clinic_notifier;
GRANT INSERT, UPDATE ON notify.progress, notify.doctors, notify.appointments, notify.notifications
    TO clinic_notifier;
GRANT SELECT (id, data_key, profile, forgotten_at) ON people.patients TO clinic_notifier;
