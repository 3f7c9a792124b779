-- candidates --
-- $1 id to go on after, $2 how many, $3… terms. Those whose terms are not up to date are always candidates.
SELECT * FROM (
    (
        SELECT * FROM people.patients
        WHERE id > $1 AND {has_each_group}
            AND terms_of = substring(data_key FOR 17) || substring(profile FOR 17)
        ORDER BY id LIMIT $2
    )
    UNION ALL
    (
        SELECT * FROM people.patients
        WHERE id > $1 AND profile IS NOT NULL
            AND terms_of IS DISTINCT FROM substring(data_key FOR 17) || substring(profile FOR 17)
        ORDER BY id LIMIT $2
    )
) AS candidates
ORDER BY id LIMIT $2

-- without_terms --
SELECT * FROM people.patients
WHERE profile IS NOT NULL AND terms_of IS DISTINCT FROM substring(data_key FOR 17) || substring(profile FOR 17)
    AND id <> ALL($2)
ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED

-- set_terms --
UPDATE people.patients SET search_terms = $2, terms_of = $3 WHERE id = $1

-- drop_indexes_of_forgotten --
UPDATE people.patients SET search_terms = NULL, terms_of = NULL, address_bucket = NULL
WHERE profile IS NULL AND (search_terms IS NOT NULL OR address_bucket IS NOT NULL)
