-- named --
SELECT * FROM booking.doctor_books WHERE id = ANY($1) ORDER BY name, id::text

-- page --
-- $1 name and $2 id of the last doctor seen; visits of the period start after $3 and before $4.
SELECT * FROM booking.doctor_books AS doctor
WHERE (name, id::text) > ($1, $2)
    AND (
        active
        OR EXISTS (
            SELECT FROM booking.appointments
            WHERE doctor_id = doctor.id AND starts_at > $3 AND starts_at < $4 AND status <> 'cancelled'
        )
    )
ORDER BY name, id::text LIMIT $5

-- nearby --
-- Appointments of doctors ($1) whose time, buffers included, lies in each one's period ($2, $3): those of a visit
-- before midnight may reach into the hours after it.
SELECT nearby.*
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS asked (doctor_id, starts_at, ends_at)
CROSS JOIN LATERAL (
    SELECT * FROM booking.appointments a
    WHERE a.doctor_id = asked.doctor_id AND a.occupied && tstzrange(asked.starts_at, asked.ends_at)
        AND a.starts_at > asked.starts_at - interval '1 day' AND a.starts_at < asked.ends_at + interval '1 day'
) AS nearby
ORDER BY nearby.starts_at, nearby.id

-- upcoming --
-- Booked visits of a doctor ($1) that are not over ($2) and start before $3.
SELECT * FROM booking.appointments
WHERE doctor_id = $1 AND status = 'booked' AND ends_at > $2
    AND starts_at > $2 - interval '1 day' AND starts_at < $3
ORDER BY starts_at, id
