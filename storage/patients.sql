-- add --
-- In the newest epoch alone: without its key, nobody can see whether the address is taken in it.
INSERT INTO people.patients (
    id, address_bucket, address_index, data_key, key_epoch, profile, created_at, search_terms, terms_of
)
SELECT $1, $2, CASE WHEN people.has_whole_indexes() THEN $3::bytea END, $4, $5, $6, $7, $8, $9
WHERE NOT EXISTS (SELECT FROM people.key_epochs WHERE epoch > $5)
RETURNING id

-- change --
-- $7 the newest epoch in which a new address was looked for; null if it is the same.
UPDATE people.patients
SET profile = $2, address_bucket = $3, address_index = CASE WHEN people.has_whole_indexes() THEN $4::bytea END,
    search_terms = $5, terms_of = $6
WHERE id = $1 AND NOT EXISTS (SELECT FROM people.key_epochs WHERE epoch > $7)
RETURNING id

-- forget --
WITH forgotten AS (
    UPDATE people.patients
    SET address_bucket = NULL, address_index = NULL, data_key = NULL, key_epoch = NULL, profile = NULL,
        search_terms = NULL, terms_of = NULL, forgotten_at = $2
    WHERE id = $1 AND forgotten_at IS NULL
    RETURNING id
)
INSERT INTO people.forgettings (patient_id, requested_at, traceparent, log_ends)
SELECT id, $4, $3, '{}' FROM forgotten
