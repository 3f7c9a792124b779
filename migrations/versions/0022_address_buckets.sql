-- A patient is found by 12 bits of a keyed hash of the mail address, which other patients share. That no two have the same
-- address is seen to under a lock (`storage/patient_addresses.py`).
ALTER TABLE people.patients ADD COLUMN address_bucket integer;
CREATE INDEX patients_by_address_bucket ON people.patients (address_bucket);

-- The last release finds patients by the whole hash alone, and relies on its being unique. So the epochs that it knows keep
-- it, and with them everybody; when the next one begins, all lose it.
ALTER TABLE people.key_epochs ADD COLUMN whole_indexes boolean NOT NULL DEFAULT false;
UPDATE people.key_epochs SET whole_indexes = true WHERE EXISTS (SELECT FROM people.patients);

CREATE FUNCTION people.has_whole_indexes() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM people.key_epochs WHERE NOT whole_indexes)
$$;

-- An ingress of the last release that still runs then would not find a patient, and make a second one. It takes this error
-- for a storage key that is being replaced, and answers 503.
CREATE FUNCTION people.refuse_whole_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT people.has_whole_indexes() THEN
        RAISE foreign_key_violation USING MESSAGE = 'there are no whole indexes of addresses any more: stop earlier releases';
    END IF;
    RETURN NEW;
END;
$$;
REVOKE EXECUTE ON FUNCTION people.has_whole_indexes(), people.refuse_whole_index() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people.has_whole_indexes() TO clinic_ingress;
GRANT SELECT ON people.key_epochs TO clinic_ingress;
CREATE TRIGGER refuse_whole_index BEFORE INSERT OR UPDATE OF address_index ON people.patients
    FOR EACH ROW WHEN (NEW.address_index IS NOT NULL) EXECUTE FUNCTION people.refuse_whole_index();

-- What an ingress of the last release leaves when it forgets a patient.
DROP INDEX people.patients_with_terms_left;
CREATE INDEX patients_with_terms_left ON people.patients (id)
    WHERE profile IS NULL AND (search_terms IS NOT NULL OR address_bucket IS NOT NULL);

-- Everybody has it unless a superuser took it from them (0009).
DO $$
BEGIN
    IF NOT has_function_privilege('clinic_ingress', 'pg_advisory_xact_lock(bigint)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO clinic_ingress;
    END IF;
END
$$;

COMMENT ON COLUMN people.patients.address_bucket IS
    '12 bits of a keyed hash of the mail address in its comparable form, which other patients share; null when forgotten, '
    'and until the next epoch for patients whom an earlier release registered';
COMMENT ON COLUMN people.patients.address_index IS
    'the whole hash, for ingresses of the last release; null when forgotten, and as soon as an epoch without whole_indexes '
    'has begun';
COMMENT ON COLUMN people.key_epochs.whole_indexes IS
    'true if the last release may have registered patients in this epoch; then address_index is written until another epoch '
    'begins';
