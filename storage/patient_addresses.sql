-- candidates --
SELECT * FROM people.patients WHERE key_epoch = ANY($1) AND (address_bucket = ANY($2) OR address_index = ANY($3))

-- reindex --
UPDATE people.patients SET address_index = CASE WHEN people.has_whole_indexes() THEN $3::bytea END
WHERE id = $1 AND address_index = $2
