-- versions --
-- `tableoid`: a book that was made anew (`clinic replay rebuild`) has other tables, and may have other content under a
-- version that an earlier one had.
SELECT doctor_id, version, tableoid FROM booking.calendar_versions WHERE doctor_id = ANY($1)

-- calendar --
-- A doctor and the bookings that start between $2 and $3. One statement, one snapshot: the version belongs to
-- exactly these bookings. Times are microseconds, which are decoded ten times as fast as ranges.
SELECT b.*, taken.starts, taken.ends
FROM booking.doctor_books b
CROSS JOIN LATERAL (
    SELECT
        array_agg((extract(epoch FROM lower(a.occupied)) * 1000000)::bigint ORDER BY a.starts_at) AS starts,
        array_agg((extract(epoch FROM upper(a.occupied)) * 1000000)::bigint ORDER BY a.starts_at) AS ends
    FROM booking.appointments a
    WHERE a.doctor_id = b.id AND a.starts_at > $2 AND a.starts_at < $3 AND a.status = 'booked'
) taken
WHERE b.id = $1

-- active --
-- Doctors who take bookings: $1 of a specialty (NFC), $2 with this id, $3 offering a visit type; behind the one with
-- the name $4 and the id $5; $6 at most.
SELECT * FROM booking.doctor_books
WHERE active
    AND ($1::text IS NULL OR normalize(specialty) = $1)
    AND ($2::uuid IS NULL OR id = $2)
    AND ($3::text IS NULL OR visit_types @> jsonb_build_array(jsonb_build_object('code', $3::text)))
    AND (name, id::text) > ($4, $5)
ORDER BY name, id::text LIMIT $6
