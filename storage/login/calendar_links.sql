-- find --
SELECT made_at FROM login.calendar_links WHERE owner_kind = $1 AND owner_id = $2

-- by_hash --
SELECT owner_kind, owner_id FROM login.calendar_links WHERE hash = $1

-- put --
INSERT INTO login.calendar_links (owner_kind, owner_id, hash, made_by, made_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (owner_kind, owner_id) DO UPDATE SET
    hash = excluded.hash, made_by = excluded.made_by, made_at = excluded.made_at

-- remove --
DELETE FROM login.calendar_links WHERE owner_kind = $1 AND owner_id = $2

-- remove_all_by --
DELETE FROM login.calendar_links WHERE made_by = $1
