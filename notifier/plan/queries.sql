-- save_doctors --
-- A doctor's events are in one partition, in order: the latest one wins.
INSERT INTO notify.doctors AS d (id, name, specialty, time_zone, visit_types)
SELECT id, name, specialty, time_zone, visit_types
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
    AS doctor (id, name, specialty, time_zone, visit_types)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    specialty = excluded.specialty,
    time_zone = excluded.time_zone,
    visit_types = d.visit_types || excluded.visit_types

-- save_appointments --
-- An appointment that moved to another doctor has events in several partitions, which are read in any order:
-- its version tells which is the latest. The rows are locked in the order of their ids. `previous_…` is what
-- the patient was last notified of, null if nothing: a version whose notice was never sent does not count.
INSERT INTO notify.appointments AS a (
    id, version, patient_id, doctor_id, visit_type, starts_at, ends_at, promised_start,
    previous_doctor_id, previous_visit_type, previous_starts_at, previous_ends_at, previous_promised_start,
    cancelled_by
)
SELECT
    id, version, patient_id, doctor_id, visit_type, starts_at, ends_at, promised_start,
    previous_doctor_id, previous_visit_type, previous_starts_at, previous_ends_at, previous_promised_start,
    cancelled_by
FROM unnest(
    $1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[],
    $9::uuid[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[]
) AS appointment (
    id, version, patient_id, doctor_id, visit_type, starts_at, ends_at, promised_start,
    previous_doctor_id, previous_visit_type, previous_starts_at, previous_ends_at, previous_promised_start,
    cancelled_by
)
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version,
    doctor_id = excluded.doctor_id,
    visit_type = excluded.visit_type,
    starts_at = excluded.starts_at,
    ends_at = excluded.ends_at,
    promised_start = excluded.promised_start,
    (
        previous_doctor_id, previous_visit_type, previous_starts_at, previous_ends_at, previous_promised_start
    ) = (
        SELECT
            CASE WHEN unsent THEN a.previous_doctor_id ELSE a.doctor_id END,
            CASE WHEN unsent THEN a.previous_visit_type ELSE a.visit_type END,
            CASE WHEN unsent THEN a.previous_starts_at ELSE a.starts_at END,
            CASE WHEN unsent THEN a.previous_ends_at ELSE a.ends_at END,
            CASE WHEN unsent THEN a.previous_promised_start ELSE a.promised_start END
        FROM (SELECT EXISTS (
            SELECT FROM notify.notifications n
            WHERE n.appointment_id = a.id AND n.version = a.version
                AND n.kind IN ('confirmation', 'reschedule') AND n.state = 'planned'
        ) AS unsent) AS notice
    ),
    cancelled_by = excluded.cancelled_by
WHERE a.version < excluded.version
RETURNING id

-- close_appointments --
UPDATE notify.appointments a SET version = o.version
FROM unnest($1::uuid[], $2::int[]) AS o (id, version)
WHERE a.id = o.id AND a.version < o.version
RETURNING a.id

-- supersede --
-- A notification that is being sent may have arrived: its sender corrects that (`notifier.deliver.outbox`).
UPDATE notify.notifications n SET state = 'superseded', finished_at = now()
FROM notify.appointments a
WHERE n.appointment_id = ANY($1) AND n.state IN ('planned', 'sending')
    AND a.id = n.appointment_id AND n.version < a.version

-- profiles --
SELECT id, data_key, profile FROM people.patients WHERE id = ANY($1) AND forgotten_at IS NULL

-- plan --
-- The times come from the clocks of different hosts, and due ones are found by the database's clock: so that a
-- clock that is ahead delays nothing, only reminders may be due later than now.
INSERT INTO notify.notifications (
    id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated, due_at, deadline_at, channel,
    traceparent
)
SELECT
    id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated,
    CASE WHEN kind = 'reminder' THEN due_at ELSE least(due_at, now()) END, deadline_at, channel,
    traceparent
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::int[], $6::uuid[], $7::uuid[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[]
) AS planned (
    id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated, due_at, deadline_at, channel,
    traceparent
)
ON CONFLICT (id) DO NOTHING
