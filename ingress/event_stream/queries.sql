-- counts --
SELECT partition, event_count FROM booking.partition_progress

-- after --
-- $1 partitions, $2 the last sequence seen in each, $3 how many at most.
SELECT e.partition, e.sequence, e.type, e.key AS doctor_id, e.data
FROM unnest($1::smallint[], $2::bigint[]) AS seen (partition, sequence)
CROSS JOIN LATERAL (
    SELECT * FROM booking.events e
    WHERE e.partition = seen.partition AND e.sequence > seen.sequence
    ORDER BY e.sequence LIMIT $3
) e
LIMIT $3
