-- booked --
-- Seconds of visits that took the time: $1 starts and $2 ends of the periods; a visit is no longer than a day.
SELECT {group} AS "group",
    sum(extract(epoch FROM least(a.ends_at, p.ends) - greatest(a.starts_at, p.starts)))::float8 AS seconds
FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS p (starts, ends, number)
JOIN booking.appointments a
    ON a.starts_at < p.ends AND a.ends_at > p.starts AND a.starts_at > p.starts - interval '1 day'
WHERE a.status <> 'cancelled'
GROUP BY 1

-- outcomes --
-- $1 and $2 as above.
SELECT {group} AS "group",
    count(*) FILTER (WHERE a.status = 'booked') AS booked,
    count(*) FILTER (WHERE a.status = 'completed') AS completed,
    count(*) FILTER (WHERE a.status = 'no_show') AS no_show,
    count(*) FILTER (WHERE a.cancelled_by = 'patient') AS cancelled_by_patient,
    count(*) FILTER (WHERE a.cancelled_by = 'staff') AS cancelled_by_staff,
    count(*) FILTER (WHERE a.cancelled_by = 'clinic') AS cancelled_by_clinic,
    count(*) AS total
FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS p (starts, ends, number)
JOIN booking.appointments a ON a.starts_at >= p.starts AND a.starts_at < p.ends
GROUP BY 1

-- lead_times --
-- $1 and $2 as above.
SELECT {group} AS "group", count(*) AS count,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY lead.hours) AS median_hours,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY lead.hours) AS p90_hours,
    avg(lead.hours) AS mean_hours
FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS p (starts, ends, number)
JOIN booking.appointments a ON a.starts_at >= p.starts AND a.starts_at < p.ends
CROSS JOIN LATERAL (SELECT extract(epoch FROM a.starts_at - a.booked_at)::float8 / 3600 AS hours) lead
WHERE a.status <> 'cancelled'
GROUP BY 1

-- doctor_names --
SELECT id::text AS "group", name FROM booking.doctors

-- visit_type_names --
-- Only where all doctors call it the same.
SELECT offered ->> 'code' AS "group", min(offered ->> 'name') AS name
FROM booking.doctors, jsonb_array_elements(visit_types) AS offered
GROUP BY 1
HAVING count(DISTINCT offered ->> 'name') = 1

-- working_doctors --
SELECT * FROM booking.doctor_books WHERE active AND hours <> '[]'
