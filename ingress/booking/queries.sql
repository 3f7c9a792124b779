-- appointment --
SELECT * FROM booking.appointments WHERE id = $1

-- histories --
-- The trail numbers the events of a partition as their sequences do.
SELECT e.subject, e.type, e.data, e.partition, e.sequence, a.hash
FROM booking.events e
LEFT JOIN audit.entries a ON a.chain = 'booking' AND a.partition = e.partition
    AND a.number = e.sequence AND a.occurred_at = e.decided_at AND a.command_id = e.command_id
WHERE e.subject = ANY($1) AND e.subject <> e.key
ORDER BY e.decided_at, e.partition, e.sequence

-- first_doctor --
-- The doctor to whom a command that names none is sent: $1 command id, $2 the appointment, $3 its doctor now. A
-- retry gets the doctor of the first try; the update changes nothing, it only returns the row. For commands that
-- were decided before this table existed, or before the database was rebuilt, the event tells the doctor.
INSERT INTO booking.addressed_commands AS a (command_id, doctor_id)
SELECT $1, coalesce(
    (
        SELECT e.key::uuid FROM booking.events e
        WHERE e.subject = $2::uuid::text AND e.subject <> e.key AND e.command_id = $1
        LIMIT 1
    ),
    $3
)
ON CONFLICT (command_id) DO UPDATE SET doctor_id = a.doctor_id
RETURNING doctor_id
