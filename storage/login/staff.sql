-- by_account --
SELECT id, password_hash FROM login.staff WHERE account = $1

-- lock --
SELECT * FROM login.staff WHERE id = $1 FOR UPDATE

-- lock_by_account --
SELECT * FROM login.staff WHERE account = $1 FOR UPDATE

-- all --
SELECT s.*,
    (SELECT count(*) FROM login.recovery_codes r WHERE r.staff_id = s.id) AS recovery_codes,
    (SELECT count(*) FROM login.passkeys p WHERE p.person_id = s.id) AS passkeys
FROM login.staff s ORDER BY s.created_at, s.id

-- is_active --
SELECT EXISTS (SELECT FROM login.staff WHERE id = $1 AND role = $2 AND disabled_at IS NULL)

-- address --
SELECT address FROM login.staff WHERE id = $1 AND disabled_at IS NULL

-- use_step --
UPDATE login.staff SET last_step = $2 WHERE id = $1

-- use_recovery_code --
DELETE FROM login.recovery_codes WHERE staff_id = $1 AND hash = $2 RETURNING hash

-- logged_in --
UPDATE login.staff SET enrolled_at = coalesce(enrolled_at, $2), logged_in_at = $2 WHERE id = $1

-- put --
INSERT INTO login.staff (
    id, account, address, role, password_hash, seed, last_step, enrol_until, enrolled_at, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET
    address = excluded.address, role = excluded.role, password_hash = excluded.password_hash,
    seed = excluded.seed, last_step = excluded.last_step, enrol_until = excluded.enrol_until,
    enrolled_at = excluded.enrolled_at, disabled_at = NULL

-- delete_recovery_codes --
DELETE FROM login.recovery_codes WHERE staff_id = $1

-- add_recovery_codes --
INSERT INTO login.recovery_codes (hash, staff_id) SELECT unnest($2::bytea[]), $1

-- disable --
UPDATE login.staff SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1
