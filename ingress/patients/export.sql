-- appointments --
SELECT * FROM booking.appointments WHERE patient_id = $1 ORDER BY starts_at, id

-- notifications --
SELECT kind, appointment_id, version, channel, state, dated, finished_at
FROM notify.notifications WHERE patient_id = $1 ORDER BY dated, id

-- notes --
SELECT * FROM people.notes WHERE patient_id = $1 ORDER BY written_at DESC, id DESC

-- own_entries --
-- What the patient did, and what the system or the operator did for them. Not what other patients did.
SELECT occurred_at, chain, partition, number, action, hash, content
FROM audit.entries
WHERE actor_id = $1 OR (patient_id = $1 AND actor_kind NOT IN ('staff', 'patient'))
ORDER BY occurred_at DESC, chain, partition, number DESC

-- seen_by_staff --
-- An entry about several patients names them in its content alone.
SELECT occurred_at, action, actor_id, content::jsonb #>> '{effect,after,view}' AS view
FROM (
    SELECT occurred_at, action, actor_id, content FROM audit.entries
    WHERE actor_kind = 'staff' AND patient_id = $1
    UNION ALL
    SELECT occurred_at, action, actor_id, content FROM audit.entries
    WHERE chain = 'security' AND actor_kind = 'staff' AND patient_id IS NULL
        AND action IN ('BookRead', 'PatientsSearched')
        AND content::jsonb #> '{effect,after,patient_ids}' ? $1::text
) AS seen
ORDER BY occurred_at DESC
