-- of_person --
SELECT * FROM login.passkeys WHERE person_id = $1 ORDER BY created_at, id

-- by_credential --
SELECT id, person_id, kind, user_handle, public_key, synced FROM login.passkeys WHERE credential_id = $1

-- lock --
SELECT sign_count FROM login.passkeys WHERE id = $1 FOR UPDATE

-- lock_patient --
-- So that whoever is forgotten at this moment has no passkey and no new login afterwards.
SELECT id FROM people.patients WHERE id = $1 AND forgotten_at IS NULL FOR UPDATE

-- has --
SELECT EXISTS (SELECT FROM login.passkeys WHERE id = $1 AND person_id = $2)

-- count --
SELECT count(*) FROM login.passkeys WHERE person_id = $1

-- add --
INSERT INTO login.passkeys (
    id, credential_id, person_id, kind, user_handle, public_key, sign_count, synced, name, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (credential_id) DO NOTHING
RETURNING id

-- use --
UPDATE login.passkeys SET sign_count = $2, used_at = $3 WHERE id = $1

-- remove --
DELETE FROM login.passkeys WHERE id = $1 AND person_id = $2 RETURNING id

-- remove_all --
DELETE FROM login.passkeys WHERE person_id = $1
