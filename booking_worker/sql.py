"""The worker's statements, set-based: arrays in, `unnest`."""

# Every query of the worker's is a handful of index probes. The planner cannot know that of arrays, and must
# not be led astray by statistics from before the tables grew.
SESSION = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Planned once: the arrays' sizes change, the plan does not.
    "plan_cache_mode": "force_generic_plan",
    # A worker that freezes inside its transaction must not keep the next owner from going on.
    "idle_in_transaction_session_timeout": "5s",
}

FENCE_AND_LOAD = """
SELECT p.topic_id, p.next_offset, p.event_count, p.published_count,
    ARRAY(SELECT d.command_id FROM booking.decisions d WHERE d.command_id = ANY($3)) AS decided,
    ARRAY(
        SELECT conflicting.appointment
        FROM unnest($4::uuid[], $5::timestamptz[], $6::timestamptz[]) AS wanted (doctor_id, f, u)
        CROSS JOIN LATERAL (
            SELECT a AS appointment FROM booking.appointments a
            WHERE a.doctor_id = wanted.doctor_id AND a.status = 'booked'
                AND a.occupied && tstzrange(wanted.f, wanted.u)
        ) AS conflicting
    ) AS in_the_way,
    ARRAY(
        SELECT a FROM booking.appointments a
        WHERE a.patient_id = ANY($7) AND a.status = 'booked' AND a.starts_at > $8
    ) AS of_patients
FROM booking.partition_progress p
WHERE p.topic = $1 AND p.partition = $2
FOR UPDATE OF p
"""

UPDATE_APPOINTMENTS = """
UPDATE booking.appointments a
SET doctor_id = u.doctor_id, visit_type = u.visit_type, starts_at = u.starts_at, ends_at = u.ends_at,
    occupied = tstzrange(u.f, u.u), status = u.status, version = u.version,
    cancelled_by = u.cancelled_by, cancel_reason = u.cancel_reason
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::text[], $9::int[], $10::text[], $11::text[]
) AS u (id, doctor_id, visit_type, starts_at, ends_at, f, u, status, version, cancelled_by, cancel_reason)
WHERE a.id = u.id
"""

UPSERT_DOCTORS = """
INSERT INTO booking.doctors (id, name, specialty, time_zone, active, visit_types, policy, hours)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::jsonb[], $7::jsonb[], $8::jsonb[]
)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, specialty = excluded.specialty, time_zone = excluded.time_zone,
    active = excluded.active, visit_types = excluded.visit_types, policy = excluded.policy,
    hours = excluded.hours
"""

INSERT_TIME_OFF = """
INSERT INTO booking.time_off (id, doctor_id, starts_at, ends_at, note)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text[])
"""

# `INSERT … SELECT … FROM unnest` writes in the order of the arrays.
WRITE = """
WITH decided AS (
    INSERT INTO booking.decisions
        (command_id, command_type, fingerprint, state, reason, count, partition, "offset", decided_at)
    SELECT d.command_id, d.command_type, d.fingerprint, d.state, d.reason, d.count, $2, d."offset",
        d.decided_at
    FROM unnest(
        $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::int[], $12::bigint[],
        $13::timestamptz[]
    ) AS d (command_id, command_type, fingerprint, state, reason, count, "offset", decided_at)
), happened AS (
    INSERT INTO booking.events
        (partition, sequence, event_id, type, key, subject, command_id, decided_at, traceparent, data)
    SELECT $2, e.*
    FROM unnest(
        $14::bigint[], $15::uuid[], $16::text[], $17::text[], $18::text[], $19::uuid[], $20::timestamptz[],
        $21::text[], $22::json[]
    ) AS e
), booked AS (
    INSERT INTO booking.appointments
        (id, doctor_id, patient_id, visit_type, starts_at, ends_at, occupied, status, version, booked_at,
        cancelled_by, cancel_reason, reason)
    SELECT a.id, a.doctor_id, a.patient_id, a.visit_type, a.starts_at, a.ends_at, tstzrange(a.f, a.u),
        a.status, a.version, a.booked_at, a.cancelled_by, a.cancel_reason, a.reason
    FROM unnest(
        $23::uuid[], $24::uuid[], $25::uuid[], $26::text[], $27::timestamptz[], $28::timestamptz[],
        $29::timestamptz[], $30::timestamptz[], $31::text[], $32::int[], $33::timestamptz[], $34::text[],
        $35::text[], $36::text[]
    ) AS a (id, doctor_id, patient_id, visit_type, starts_at, ends_at, f, u, status, version, booked_at,
        cancelled_by, cancel_reason, reason)
), calendars AS (
    INSERT INTO booking.calendar_versions AS v (doctor_id, version)
    SELECT doctor_id, 1 FROM unnest($37::uuid[]) AS doctor_id
    ON CONFLICT (doctor_id) DO UPDATE SET version = v.version + 1
)
UPDATE booking.partition_progress
SET next_offset = $3, event_count = $4, published_count = greatest(published_count, $5)
WHERE topic = $1 AND partition = $2
"""
