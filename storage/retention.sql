-- last_decision --
SELECT max(e.decided_at) FROM booking.partition_progress p
JOIN booking.events e ON e.partition = p.partition AND e.sequence = p.event_count

-- unseen --
-- Logins are looked for in the trail, since sessions are deleted after some weeks, and among the sessions, since
-- the trail may be behind.
SELECT p.id FROM people.patients p
WHERE p.forgotten_at IS NULL AND p.created_at < $1
    AND NOT EXISTS (SELECT FROM booking.appointments a WHERE a.patient_id = p.id AND a.starts_at >= $1)
    AND NOT EXISTS (SELECT FROM people.notes n WHERE n.patient_id = p.id AND n.written_at >= $1)
    AND NOT EXISTS (SELECT FROM audit.entries e WHERE e.actor_id = p.id AND e.occurred_at >= $1)
    AND NOT EXISTS (SELECT FROM login.sessions s WHERE s.person_id = p.id AND s.used_at >= $1)
ORDER BY p.id LIMIT $2

-- drop_notes_of_forgotten --
DELETE FROM people.notes n USING people.patients p WHERE p.id = n.patient_id AND p.forgotten_at IS NOT NULL
