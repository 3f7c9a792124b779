-- Rows as the worker sends them: one parameter is an array of such rows (`unnest($1::booking.event_row[])`).
-- A type is never altered, as workers of the release before send what they know of it: a release that needs
-- another attribute creates another type, and the release after it drops the old one.
CREATE TYPE booking.appointment_row AS (
    id            uuid,
    doctor_id     uuid,
    patient_id    uuid,
    visit_type    text,
    version       integer,
    booked_at     timestamptz,
    cancel_reason text,
    reason        text,
    starts_at     timestamptz,
    ends_at       timestamptz,
    occupied      tstzrange,
    status        text,
    cancelled_by  text
);
CREATE TYPE booking.decision_row AS (
    command_id   uuid,
    command_type text,
    fingerprint  text,
    state        text,
    reason       text,
    count        integer,
    partition    smallint,
    "offset"     bigint,
    decided_at   timestamptz
);
CREATE TYPE booking.event_row AS (
    partition   smallint,
    sequence    bigint,
    event_id    uuid,
    type        text,
    key         text,
    subject     text,
    command_id  uuid,
    decided_at  timestamptz,
    traceparent text,
    data        json
);
CREATE TYPE booking.doctor_row AS (
    id          uuid,
    name        text,
    specialty   text,
    time_zone   text,
    active      boolean,
    visit_types jsonb,
    policy      jsonb,
    hours       jsonb
);
CREATE TYPE booking.time_off_row AS (
    id        uuid,
    doctor_id uuid,
    starts_at timestamptz,
    ends_at   timestamptz,
    note      text
);
CREATE TYPE booking.calendar_change AS (
    doctor_id uuid,
    count     bigint -- of the facts that change what the calendar shows
);
CREATE TYPE booking.position_row AS (
    partition       smallint,
    next_offset     bigint,
    event_count     bigint,
    published_count bigint
);
-- A doctor's time that a command asks for; no visit that overlaps it starts at `starts_before` or later.
CREATE TYPE booking.wanted_time AS (
    doctor_id     uuid,
    starts_at     timestamptz,
    ends_at       timestamptz,
    starts_before timestamptz
);

-- Patients who asked to be forgotten. Pending until every partition of the commands' log is decided up to where
-- it ended after the request and nothing is booked: whatever was still on the log for them is cancelled too.
CREATE TABLE people.forgettings (
    patient_id   uuid        PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    traceparent  text, -- of the request, for the cancellations
    log_ends     bigint[]    NOT NULL, -- by partition, from 0; empty until they are known
    completed_at timestamptz -- null while it is pending
);
CREATE INDEX forgettings_pending ON people.forgettings (requested_at) WHERE completed_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON people.forgettings TO clinic_ingress;
