-- Decisions of commands, and what waits.

-- decisions --
-- The decisions of these commands ($1).
SELECT command_id, fingerprint, state, reason, count, partition, "offset", decided_at
FROM booking.decisions WHERE command_id = ANY($1)

-- next_offset --
-- $1 topic, $2 partition.
SELECT next_offset FROM booking.partition_progress WHERE topic = $1 AND partition = $2
