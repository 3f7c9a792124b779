-- pending --
SELECT patient_id FROM people.forgettings WHERE completed_at IS NULL ORDER BY requested_at LIMIT 100

-- lock --
-- By one ingress at a time. `settled`: whoever knew the patient when they asked has written to the log by now.
SELECT traceparent, log_ends, requested_at < $2 AS settled FROM people.forgettings
WHERE patient_id = $1 AND completed_at IS NULL
FOR UPDATE SKIP LOCKED

-- set_log_ends --
UPDATE people.forgettings SET log_ends = $2 WHERE patient_id = $1

-- is_decided --
SELECT NOT EXISTS (
    SELECT FROM unnest($2::bigint[]) WITH ORDINALITY AS log (log_end, number)
    LEFT JOIN booking.partition_progress p ON p.topic = $1 AND p.partition = log.number - 1
    WHERE log.log_end > coalesce(p.next_offset, 0)
)

-- booked_for --
SELECT a.id, a.doctor_id, a.patient_id FROM people.patients p
JOIN booking.appointments a ON a.patient_id = p.id AND a.status = 'booked' AND a.starts_at > p.forgotten_at
WHERE p.id = $1

-- booked_for_forgotten --
SELECT a.id, a.doctor_id, a.patient_id FROM people.patients p
JOIN booking.appointments a ON a.patient_id = p.id AND a.status = 'booked' AND a.starts_at > p.forgotten_at
WHERE p.forgotten_at IS NOT NULL

-- complete --
UPDATE people.forgettings SET completed_at = $2 WHERE patient_id = $1
