-- The worker's statements. They are set-based: a parameter is an array, of rows where there are several columns
-- (composite types, `migrations/versions/0004_rows.sql`). Names in braces are lists from `storage.rows`.
--
-- Each statement is planned once, when the tables may still be empty, and the plan has to stay right as they
-- grow. So sorting, hashing and scanning whole tables are switched off (`store.SESSION`), and the two look-ups
-- of appointments ask for the order of the one index each is meant to use.

-- fence_and_load --
-- Locks positions and reads what a batch has to see. $1 topic, $2 partitions, $3 command ids, $4 wanted times,
-- $5 patients, $6 the start of the earliest visit that matters for them.
--
-- A doctor's occupied times do not overlap. So whether one of them conflicts with a wanted time is shown by the
-- last one that begins before the wanted time ends: one row, and two more for an appointment that is moved and
-- one that the batch frees. What this misses, the exclusion constraint finds, and the batch is decided again in
-- smaller parts.
WITH fence AS MATERIALIZED (
    SELECT {position_columns}
    FROM booking.partition_progress
    WHERE topic = $1 AND partition = ANY($2)
    ORDER BY topic, partition
    FOR UPDATE
)
SELECT ARRAY(SELECT f FROM fence f) AS positions,
    ARRAY(SELECT d.command_id FROM booking.decisions d WHERE d.command_id = ANY($3)) AS decided,
    ARRAY(
        SELECT earlier.appointment
        FROM unnest($4::booking.wanted_time[]) AS wanted
        CROSS JOIN LATERAL (
            SELECT a AS appointment
            FROM booking.appointments a
            WHERE a.doctor_id = wanted.doctor_id AND a.starts_at < wanted.starts_before
                AND a.status = 'booked' AND lower(a.occupied) < wanted.ends_at
            ORDER BY a.starts_at DESC, a.id DESC
            LIMIT 3
        ) AS earlier
        WHERE upper((earlier.appointment).occupied) > wanted.starts_at
    ) AS conflicting,
    ARRAY(
        SELECT upcoming.appointment
        FROM unnest($5::uuid[]) AS wanted (patient_id)
        CROSS JOIN LATERAL (
            SELECT a AS appointment
            FROM booking.appointments a
            WHERE a.patient_id = wanted.patient_id AND a.starts_at > $6 AND a.status = 'booked'
            ORDER BY a.starts_at, a.id
        ) AS upcoming
    ) AS of_patients

-- lock_appointments --
-- Appointments by id ($1), whichever partition their doctors belong to.
SELECT * FROM booking.appointments WHERE id = ANY($1) ORDER BY id FOR UPDATE

-- lock_booked_within --
-- Booked appointments in doctors' times ($1). $2: the longest that a visit can last. The order begins with the
-- doctor, which is always the same one, so that only the index by doctor has it.
SELECT a.*
FROM unnest($1::booking.wanted_time[]) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM booking.appointments a
    WHERE a.status = 'booked'
        AND (a.doctor_id, a.starts_at) > (wanted.doctor_id, wanted.starts_at - $2::interval)
        AND (a.doctor_id, a.starts_at) < (wanted.doctor_id, wanted.starts_before)
    ORDER BY a.doctor_id, a.starts_at, a.id
    FOR UPDATE
) AS a

-- load_doctors --
SELECT * FROM booking.doctor_books WHERE id = ANY($1)

-- make_room --
-- Appointments ($1) leave the exclusion constraints until `update_appointments`, in the same transaction, gives
-- each its state: so they may change places. No other transaction ever sees the state between.
UPDATE booking.appointments SET status = 'no_show' WHERE id = ANY($1) AND status = 'booked'

-- update_appointments --
-- $1 rows, $2 the version that each had when it was read, $3 the status that each has now.
UPDATE booking.appointments a
SET {appointment_changes}
FROM unnest($1::{appointment_type}[], $2::int[], $3::text[])
    AS u ({appointment_columns}, version_before, status_before)
WHERE a.id = u.id AND a.version = u.version_before AND a.status = u.status_before

-- upsert_doctors --
INSERT INTO booking.doctors ({doctor_columns})
SELECT {doctor_columns} FROM unnest($1::booking.doctor_row[])
ON CONFLICT (id) DO UPDATE SET {doctor_changes}

-- insert_time_off --
INSERT INTO booking.time_off ({time_off_columns})
SELECT {time_off_columns} FROM unnest($1::booking.time_off_row[])

-- delete_time_off --
DELETE FROM booking.time_off WHERE id = ANY($1)

-- write --
-- What every transaction writes, in one round trip. $1 topic, $2 positions, $3 decisions, $4 events, $5 new
-- appointments (written in the order of the array), $6 changes of calendars.
WITH decided AS (
    INSERT INTO booking.decisions ({decision_columns})
    SELECT {decision_columns} FROM unnest($3::booking.decision_row[])
), happened AS (
    INSERT INTO booking.events ({event_columns})
    SELECT {event_columns} FROM unnest($4::booking.event_row[])
), booked AS (
    INSERT INTO booking.appointments ({appointment_columns})
    SELECT {appointment_columns} FROM unnest($5::{appointment_type}[])
), calendars AS (
    INSERT INTO booking.calendar_versions AS v (doctor_id, version)
    SELECT doctor_id, count FROM unnest($6::booking.calendar_change[])
    ON CONFLICT (doctor_id) DO UPDATE SET version = v.version + excluded.version
)
UPDATE booking.partition_progress p
SET next_offset = moved.next_offset, event_count = moved.event_count,
    published_count = greatest(p.published_count, moved.published_count)
FROM unnest($2::booking.position_row[]) AS moved
WHERE p.topic = $1 AND p.partition = moved.partition

-- last_decided --
-- The command that a partition ($1) decided last: where it stood, its id, and the broker's time.
SELECT (data -> 'source' ->> 'offset')::bigint AS "offset", command_id, decided_at
FROM booking.events WHERE partition = $1 ORDER BY sequence DESC LIMIT 1

-- database --
-- Tells this database, on this run of its server, from any other: another run, a copy in its place, a table that
-- was filled anew.
SELECT pg_postmaster_start_time() AS started_at, pg_relation_filenode('booking.partition_progress') AS filenode,
    (SELECT oid FROM pg_database WHERE datname = current_database()) AS oid

-- event --
-- One event as it was written. $1 partition, $2 sequence.
SELECT {event_columns} FROM booking.events WHERE partition = $1 AND sequence = $2

-- count_events --
-- How many events of a partition ($1) there are behind a sequence ($2).
SELECT count(*) FROM booking.events WHERE partition = $1 AND sequence > $2

-- publish_again --
-- $1 topic, $2 partition, $3 how many of its events are known to be published.
UPDATE booking.partition_progress SET published_count = least(published_count, $3)
WHERE topic = $1 AND partition = $2

-- authenticated --
-- $1 topic, $2 partition, which a worker that adds MACs has taken up, $3 how many of its events need not be
-- published again.
UPDATE booking.partition_progress SET authenticated = true, published_count = least(published_count, $3)
WHERE topic = $1 AND partition = $2 AND NOT authenticated

-- unpublished_events --
SELECT {event_columns} FROM booking.events WHERE partition = $1 AND sequence > $2 ORDER BY sequence LIMIT $3

-- count_published --
UPDATE booking.partition_progress SET published_count = greatest(published_count, $3)
WHERE topic = $1 AND partition = $2
