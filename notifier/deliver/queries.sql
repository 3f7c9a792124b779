-- claim --
-- Not those of other configured channels. A newer notification about an appointment waits for one that is
-- being sent, so that it does not overtake it.
WITH due AS MATERIALIZED (
    SELECT n.id FROM notify.notifications n
    WHERE n.state IN ('planned', 'sending') AND n.{kinds} AND n.due_at <= now()
        AND coalesce(n.channel, '{default_channel}') <> ALL($1::text[]) AND n.id <> ALL($4::uuid[])
        AND NOT EXISTS (
            SELECT FROM notify.notifications o
            WHERE o.appointment_id = n.appointment_id AND o.claimed_until > now() AND o.version < n.version
        )
    ORDER BY n.due_at LIMIT $2
    FOR UPDATE OF n SKIP LOCKED
), claimed AS (
    UPDATE notify.notifications n
    SET claim = n.claim + 1, claimed_until = now() + $3::interval, due_at = now() + $3::interval
    FROM due WHERE n.id = due.id
    RETURNING n.*
)
SELECT c.id, c.claim, c.kind, c.version, c.hours_before, c.challenge_id, c.patient_id, c.dated, c.tries,
    c.sends, c.reason, c.secret, c.traceparent, c.appointment_id, c.deadline_at <= now() AS late,
    extract(epoch FROM now() - c.dated)::float8 AS age_s,
    a.version AS latest_version, a.doctor_id, a.visit_type, a.starts_at, a.ends_at, a.promised_start,
    a.cancelled_by, a.previous_doctor_id, a.previous_visit_type, a.previous_starts_at, a.previous_ends_at,
    a.previous_promised_start,
    d.name AS doctor_name, d.specialty, d.time_zone, d.visit_types ->> a.visit_type AS visit_type_name,
    b.name AS previous_doctor_name, b.specialty AS previous_specialty, b.time_zone AS previous_time_zone,
    b.visit_types ->> a.previous_visit_type AS previous_visit_type_name,
    p.data_key, p.profile
FROM claimed c
LEFT JOIN notify.appointments a ON a.id = c.appointment_id
LEFT JOIN notify.doctors d ON d.id = a.doctor_id
LEFT JOIN notify.doctors b ON b.id = a.previous_doctor_id
LEFT JOIN people.patients p ON p.id = c.patient_id AND p.forgotten_at IS NULL

-- next_due --
SELECT extract(epoch FROM min(n.due_at) - now())::float8 FROM notify.notifications n
WHERE n.state IN ('planned', 'sending') AND n.{kinds}
    AND coalesce(n.channel, '{default_channel}') <> ALL($1::text[])

-- begin --
-- Not if the patient was forgotten, or has changed their profile since the claim: the address may be new, or
-- reminders unwanted.
UPDATE notify.notifications n
SET state = 'sending', sends = n.sends + 1, claimed_until = now() + b.lease, due_at = now() + b.lease
FROM unnest($1::uuid[], $2::int[], $3::interval[], $4::bytea[]) AS b (id, claim, lease, profile)
WHERE n.id = b.id AND n.claim = b.claim AND n.state IN ('planned', 'sending') AND n.claimed_until > now()
    AND b.profile IS NOT DISTINCT FROM (
        SELECT p.profile FROM people.patients p WHERE p.id = n.patient_id AND p.forgotten_at IS NULL
    )
RETURNING n.id

-- settle --
UPDATE notify.notifications n SET
    claimed_until = NULL,
    state = CASE WHEN s.state = 'sent' OR n.state IN ('planned', 'sending') THEN s.state ELSE n.state END,
    reason = CASE WHEN s.state = 'sent' THEN NULL
        WHEN n.state IN ('planned', 'sending') THEN coalesce(s.reason, n.reason) ELSE n.reason END,
    due_at = CASE WHEN s.state = 'planned' THEN now() + s.after ELSE n.due_at END,
    tries = n.tries + s.tried,
    sends = n.sends - s.unsent,
    channel = coalesce(s.channel, n.channel),
    secret = CASE WHEN s.state IN ('planned', 'undeliverable') THEN n.secret END,
    finished_at = CASE WHEN s.state = 'planned' THEN n.finished_at ELSE coalesce(n.finished_at, now()) END
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::interval[], $6::int[], $7::int[], $8::text[])
    AS s (id, claim, state, reason, after, tried, unsent, channel)
WHERE n.id = s.id AND n.state <> 'sent' AND (s.state = 'sent' OR n.claim = s.claim)
RETURNING n.id
