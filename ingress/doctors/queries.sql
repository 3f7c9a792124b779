-- page --
-- $1 name and $2 id of the last doctor seen, $3 the specialty (NFC) or null.
SELECT * FROM booking.doctor_books
WHERE (name, id::text) > ($1, $2) AND ($3::text IS NULL OR normalize(specialty) = $3)
ORDER BY name, id::text LIMIT $4

-- doctor --
SELECT * FROM booking.doctor_books WHERE id = $1

-- appointments_nearby --
-- Appointments whose time, buffers included, lies in a period: those of a visit before midnight may reach
-- into the hours after it.
SELECT * FROM booking.appointments
WHERE doctor_id = $1 AND occupied && tstzrange($2, $3)
    AND starts_at > $2 - interval '1 day' AND starts_at < $3 + interval '1 day'
ORDER BY starts_at, id
