-- add --
INSERT INTO people.patients (
    id, address_index, data_key, key_epoch, profile, created_at, search_terms, terms_of
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (address_index) DO NOTHING
RETURNING id

-- change --
UPDATE people.patients SET profile = $2, address_index = $3, search_terms = $4, terms_of = $5 WHERE id = $1

-- forget --
WITH forgotten AS (
    UPDATE people.patients
    SET address_index = NULL, data_key = NULL, key_epoch = NULL, profile = NULL, search_terms = NULL,
        terms_of = NULL, forgotten_at = $2
    WHERE id = $1 AND forgotten_at IS NULL
    RETURNING id
)
INSERT INTO people.forgettings (patient_id, requested_at, traceparent, log_ends)
SELECT id, $4, $3, '{}' FROM forgotten
