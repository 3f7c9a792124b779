-- page --
-- $1 name and $2 id of the last doctor seen, $3 the specialty (NFC) or null.
SELECT * FROM booking.doctor_books
WHERE (name, id::text) > ($1, $2) AND ($3::text IS NULL OR normalize(specialty) = $3)
ORDER BY name, id::text LIMIT $4

-- doctor --
SELECT * FROM booking.doctor_books WHERE id = $1
