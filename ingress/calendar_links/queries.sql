-- visits --
-- Visits that are booked and not over, the next ones first, of whom the column {owner} names: $1 who, $2 now, $3 at
-- most so many. `changed_at`: a visit that is booked was last booked or moved.
WITH visits AS (
    SELECT * FROM booking.appointments
    WHERE {owner} = $1 AND status = 'booked' AND ends_at > $2 AND starts_at > $2 - interval '1 day'
    ORDER BY starts_at, id LIMIT $3
)
SELECT v.*, (
    SELECT max(e.decided_at) FROM booking.events e
    WHERE e.subject = v.id::text AND e.subject <> e.key
        AND e.type IN ('AppointmentBooked', 'AppointmentRescheduled')
) AS changed_at
FROM visits v ORDER BY v.starts_at, v.id
