CREATE EXTENSION IF NOT EXISTS btree_gist;

-- A login role per service. Where the operator has not made them, they exist without a password.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_ingress') THEN
        CREATE ROLE clinic_ingress NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clinic_worker') THEN
        CREATE ROLE clinic_worker NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA booking;
CREATE SCHEMA people;

-- How far each partition of the commands' topic has been decided, and its events published. The worker
-- locks the row first in every transaction: that is the fence between two owners of a partition.
CREATE TABLE booking.partition_progress (
    topic           text     NOT NULL,
    partition       smallint NOT NULL,
    topic_id        uuid     NOT NULL, -- Kafka's (KIP-516): a topic made again has another
    next_offset     bigint   NOT NULL DEFAULT 0,
    event_count     bigint   NOT NULL DEFAULT 0,
    published_count bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition),
    CHECK (0 <= published_count AND published_count <= event_count)
) WITH (fillfactor = 20); -- one hot row per partition: room for HOT updates

CREATE TABLE booking.decisions (
    command_id   uuid        PRIMARY KEY,
    command_type text        NOT NULL,
    fingerprint  text, -- null only where the command could not be read
    state        text        NOT NULL CHECK (state IN ('confirmed', 'refused', 'failed')),
    reason       text        CHECK ((reason IS NOT NULL) = (state = 'refused')),
    count        integer,
    partition    smallint    NOT NULL,
    "offset"     bigint      NOT NULL,
    decided_at   timestamptz NOT NULL
);

CREATE TABLE booking.doctors (
    id          uuid  PRIMARY KEY,
    name        text  NOT NULL,
    specialty   text  NOT NULL,
    time_zone   text  NOT NULL,
    active      bool  NOT NULL,
    visit_types jsonb NOT NULL,
    policy      jsonb NOT NULL,
    hours       jsonb NOT NULL
);

-- Raised by every fact that changes what a doctor's calendar shows: what caches compare.
CREATE TABLE booking.calendar_versions (
    doctor_id uuid   PRIMARY KEY,
    version   bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE booking.time_off (
    id        uuid        PRIMARY KEY,
    doctor_id uuid        NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL CHECK (starts_at < ends_at),
    note      text -- sealed
);
CREATE INDEX time_off_by_doctor ON booking.time_off (doctor_id, ends_at);

CREATE TABLE booking.appointments (
    id            uuid        PRIMARY KEY,
    doctor_id     uuid        NOT NULL,
    patient_id    uuid        NOT NULL,
    visit_type    text        NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL CHECK (starts_at < ends_at),
    occupied      tstzrange   NOT NULL CHECK (occupied @> tstzrange(starts_at, ends_at)),
    status        text        NOT NULL CHECK (status IN ('booked', 'cancelled', 'completed', 'no_show')),
    version       integer     NOT NULL CHECK (version > 0),
    booked_at     timestamptz NOT NULL,
    cancelled_by  text        CHECK (cancelled_by IN ('patient', 'staff', 'clinic')),
    cancel_reason text,
    reason        text, -- sealed
    CHECK ((cancelled_by IS NOT NULL) = (status = 'cancelled')),
    -- The second guard behind the single writer of a doctor's partition. The names are the refusals.
    CONSTRAINT slot_taken EXCLUDE USING gist (doctor_id WITH =, occupied WITH &&)
        WHERE (status = 'booked'),
    CONSTRAINT patient_busy EXCLUDE USING gist (patient_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (status = 'booked')
);
CREATE INDEX appointments_by_patient ON booking.appointments (patient_id, starts_at, id);
CREATE INDEX appointments_by_doctor ON booking.appointments (doctor_id, starts_at, id);
CREATE INDEX appointments_by_start ON booking.appointments (starts_at, id);

-- A doctor whole, as `storage.rows` reads it.
CREATE VIEW booking.doctor_books AS
SELECT d.id, d.name, d.specialty, d.time_zone, d.active, d.visit_types, d.policy, d.hours,
    v.version AS calendar_version,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_array(t.id, t.starts_at, t.ends_at, t.note) ORDER BY t.starts_at), '[]')
        FROM booking.time_off t
        WHERE t.doctor_id = d.id
    ) AS time_off
FROM booking.doctors d
JOIN booking.calendar_versions v ON v.doctor_id = d.id;

-- Written with the decision they belong to, published after it.
CREATE TABLE booking.events (
    partition   smallint    NOT NULL,
    sequence    bigint      NOT NULL CHECK (sequence > 0),
    event_id    uuid        NOT NULL,
    type        text        NOT NULL,
    key         text        NOT NULL,
    subject     text        NOT NULL,
    command_id  uuid        NOT NULL,
    decided_at  timestamptz NOT NULL,
    traceparent text,
    data        json        NOT NULL, -- json, not jsonb: published byte for byte
    PRIMARY KEY (partition, sequence)
);

-- What happened to one appointment.
CREATE INDEX events_of_appointment ON booking.events (subject) WHERE subject <> key;

-- Names and addresses, sealed under a key of the patient's own: without it the row says nothing.
CREATE TABLE people.patients (
    id            uuid        PRIMARY KEY,
    address_index bytea       UNIQUE, -- keyed hash of the mail address
    data_key      bytea, -- wrapped by the master key; gone when the patient is forgotten
    profile       bytea, -- sealed by data_key
    created_at    timestamptz NOT NULL,
    forgotten_at  timestamptz,
    CHECK ((forgotten_at IS NULL) = (data_key IS NOT NULL)),
    CHECK ((data_key IS NULL) = (profile IS NULL))
);

GRANT USAGE ON SCHEMA booking TO clinic_ingress, clinic_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA booking TO clinic_ingress, clinic_worker;
GRANT INSERT, UPDATE ON
    booking.partition_progress, booking.doctors, booking.calendar_versions, booking.appointments
    TO clinic_worker;
GRANT INSERT ON booking.decisions, booking.events TO clinic_worker;
GRANT INSERT, DELETE ON booking.time_off TO clinic_worker;

GRANT USAGE ON SCHEMA people TO clinic_ingress;
GRANT SELECT, INSERT, UPDATE ON people.patients TO clinic_ingress;
