-- begin_session --
INSERT INTO login.sessions (
    id, person_id, role, methods, authenticated_at, begun_at, used_at, idle_ends_at, ends_at
)
VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7)

-- add_token --
INSERT INTO login.refresh_tokens (hash, session_id, issued_at) VALUES ($1, $2, $3)

-- lock_token --
-- Both rows, so that a second exchange of the same token waits for the first.
SELECT t.used_at AS token_used_at, t.successor, s.*
FROM login.refresh_tokens t JOIN login.sessions s ON s.id = t.session_id
WHERE t.hash = $1
FOR UPDATE OF t, s

-- is_unused --
SELECT used_at IS NULL FROM login.refresh_tokens WHERE hash = $1

-- exchange --
UPDATE login.refresh_tokens SET used_at = $2, successor = $3 WHERE hash = $1

-- use_session --
UPDATE login.sessions SET used_at = $2, idle_ends_at = least($3, ends_at) WHERE id = $1

-- hold_session --
-- Found whether it was ended or not, so that this waits for whoever ends it at this moment.
SELECT ended_at FROM login.sessions WHERE id = $1 FOR SHARE

-- session_of_token --
SELECT session_id FROM login.refresh_tokens WHERE hash = $1

-- end_session --
UPDATE login.sessions SET ended_at = $2, end_reason = $3
WHERE id = $1 AND ended_at IS NULL
RETURNING id, person_id, role

-- end_own_session --
UPDATE login.sessions SET ended_at = $3, end_reason = $4
WHERE id = $1 AND person_id = $2 AND ended_at IS NULL AND least(idle_ends_at, ends_at) > $3
RETURNING id

-- end_sessions_of --
UPDATE login.sessions SET ended_at = $2, end_reason = $3
WHERE person_id = $1 AND ended_at IS NULL
RETURNING id

-- withdraw_link_of --
DELETE FROM login.calendar_links WHERE owner_kind = 'patient' AND owner_id = $1 RETURNING owner_id

-- sessions_of --
SELECT * FROM login.sessions
WHERE person_id = $1 AND ended_at IS NULL AND least(idle_ends_at, ends_at) > $2
ORDER BY used_at DESC, id
LIMIT $3

-- ended_since --
SELECT id FROM login.sessions WHERE ended_at >= $1

-- count_failure --
INSERT INTO login.failures AS f (account, count, first_failed_at, last_failed_at) VALUES ($1, 1, $2, $2)
ON CONFLICT (account) DO UPDATE SET count = f.count + 1, last_failed_at = excluded.last_failed_at
RETURNING count

-- forget_failures --
DELETE FROM login.failures WHERE account = $1

-- delete_old_sessions --
DELETE FROM login.sessions WHERE ends_at < $1

-- delete_old_failures --
DELETE FROM login.failures WHERE last_failed_at < $1
