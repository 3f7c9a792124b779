"""The worker's statements, set-based: arrays in, `unnest`.

Each is planned once, when the tables may still be empty, and the plan has to stay right as they grow. So
sorting, hashing and scanning whole tables are switched off, and the two look-ups of appointments ask for the
order of the one index each is meant to use; `status || ''` keeps the constraints' partial indexes out of it.

A doctor's occupied times do not overlap. So whether one is in the way of a wanted time is told by the last
that begins before it ends: one row, and two more for one that is moved and one that the batch frees. What
that misses, the exclusion constraint finds, and the batch is decided again in smaller parts.
"""

SESSION = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "plan_cache_mode": "force_generic_plan",
    # A worker that freezes inside its transaction must not keep the next owner from going on.
    "idle_in_transaction_session_timeout": "5s",
}

OPEN = """
INSERT INTO booking.partition_progress AS p (topic, partition, topic_id) VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET topic = p.topic
RETURNING topic_id, next_offset, event_count, published_count
"""

FENCE = """
SELECT FROM booking.partition_progress WHERE topic = $1 AND partition = ANY($2) ORDER BY partition FOR UPDATE
"""

POSITION = """
SELECT topic_id, next_offset, event_count, published_count
FROM booking.partition_progress WHERE topic = $1 AND partition = $2 FOR UPDATE
"""

FENCE_AND_LOAD = """
WITH fence AS MATERIALIZED (
    SELECT p.partition, p.topic_id, p.next_offset, p.event_count
    FROM booking.partition_progress p
    WHERE p.topic = $1 AND p.partition = ANY($2)
    ORDER BY p.topic, p.partition
    FOR UPDATE
)
SELECT ARRAY(SELECT f FROM fence f) AS positions,
    ARRAY(SELECT d.command_id FROM booking.decisions d WHERE d.command_id = ANY($3)) AS decided,
    ARRAY(
        SELECT conflicting.appointment
        FROM unnest($4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
            AS wanted (doctor_id, starts_at, ends_at, before)
        CROSS JOIN LATERAL (
            SELECT a AS appointment
            FROM booking.appointments a
            WHERE a.doctor_id = wanted.doctor_id AND a.starts_at < wanted.before
                AND a.status || '' = 'booked' AND lower(a.occupied) < wanted.ends_at
            ORDER BY a.starts_at DESC, a.id DESC
            LIMIT 3
        ) AS conflicting
        WHERE upper((conflicting.appointment).occupied) > wanted.starts_at
    ) AS in_the_way,
    ARRAY(
        SELECT upcoming.appointment
        FROM unnest($8::uuid[]) AS wanted (patient_id)
        CROSS JOIN LATERAL (
            SELECT a AS appointment
            FROM booking.appointments a
            WHERE a.patient_id = wanted.patient_id AND a.starts_at > $9 AND a.status || '' = 'booked'
            ORDER BY a.starts_at, a.id
        ) AS upcoming
    ) AS of_patients
"""

IN_TIME_OFF = """
SELECT a.*
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS away (doctor_id, starts_at, ends_at)
CROSS JOIN LATERAL (
    SELECT * FROM booking.appointments a
    WHERE a.doctor_id = away.doctor_id AND a.status || '' = 'booked'
        AND a.starts_at > away.starts_at - $4::interval AND a.starts_at < away.ends_at
    ORDER BY a.starts_at, a.id
    FOR UPDATE
) AS a
"""

UPDATE_APPOINTMENTS = """
UPDATE booking.appointments a
SET doctor_id = u.doctor_id, visit_type = u.visit_type, starts_at = u.starts_at, ends_at = u.ends_at,
    occupied = tstzrange(u.f, u.u), status = u.status, version = u.version,
    cancelled_by = u.cancelled_by, cancel_reason = u.cancel_reason
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::text[], $9::int[], $10::text[], $11::text[], $12::int[]
) AS u (
    id, doctor_id, visit_type, starts_at, ends_at, f, u, status, version, cancelled_by, cancel_reason, before
)
WHERE a.id = u.id AND a.version = u.before AND a.status = $13
"""

# What is changed makes room first: together, appointments may change places.
FREE = "UPDATE booking.appointments SET status = 'no_show' WHERE id = ANY($1) AND status = 'booked'"

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
    SELECT * FROM unnest(
        $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::int[], $12::smallint[],
        $13::bigint[], $14::timestamptz[]
    )
), happened AS (
    INSERT INTO booking.events
        (partition, sequence, event_id, type, key, subject, command_id, decided_at, traceparent, data)
    SELECT * FROM unnest(
        $15::smallint[], $16::bigint[], $17::uuid[], $18::text[], $19::text[], $20::text[], $21::uuid[],
        $22::timestamptz[], $23::text[], $24::json[]
    )
), booked AS (
    INSERT INTO booking.appointments
        (id, doctor_id, patient_id, visit_type, starts_at, ends_at, occupied, status, version, booked_at,
        cancelled_by, cancel_reason, reason)
    SELECT a.id, a.doctor_id, a.patient_id, a.visit_type, a.starts_at, a.ends_at, tstzrange(a.f, a.u),
        a.status, a.version, a.booked_at, a.cancelled_by, a.cancel_reason, a.reason
    FROM unnest(
        $25::uuid[], $26::uuid[], $27::uuid[], $28::text[], $29::timestamptz[], $30::timestamptz[],
        $31::timestamptz[], $32::timestamptz[], $33::text[], $34::int[], $35::timestamptz[], $36::text[],
        $37::text[], $38::text[]
    ) AS a (id, doctor_id, patient_id, visit_type, starts_at, ends_at, f, u, status, version, booked_at,
        cancelled_by, cancel_reason, reason)
), calendars AS (
    INSERT INTO booking.calendar_versions AS v (doctor_id, version)
    SELECT * FROM unnest($39::uuid[], $40::bigint[])
    ON CONFLICT (doctor_id) DO UPDATE SET version = v.version + excluded.version
)
UPDATE booking.partition_progress p
SET next_offset = u.next_offset, event_count = u.event_count,
    published_count = greatest(p.published_count, u.published_count)
FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS u (partition, next_offset, event_count, published_count)
WHERE p.topic = $1 AND p.partition = u.partition
"""
