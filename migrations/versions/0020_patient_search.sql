-- Staff find patients by name, phone or date of birth. A term is 12 bits of a keyed hash, so that many patients share
-- it; it goes when the patient is forgotten, and its key with the epoch of the storage key.
ALTER TABLE people.patients ADD COLUMN search_terms integer[];
ALTER TABLE people.patients ADD COLUMN terms_of bytea;

CREATE INDEX patients_by_search_terms ON people.patients USING gin (search_terms);
-- Patients of earlier releases, and those whose profile or key an earlier release changed: the ingress makes their terms.
CREATE INDEX patients_without_terms ON people.patients (id)
    WHERE profile IS NOT NULL AND terms_of IS DISTINCT FROM substring(data_key FOR 17) || substring(profile FOR 17);
CREATE INDEX patients_with_terms_left ON people.patients (id) WHERE profile IS NULL AND search_terms IS NOT NULL;

COMMENT ON COLUMN people.patients.search_terms IS
    'what staff may search for: 12 bits of a keyed hash of each word''s beginning, the phone number and the date of '
    'birth; null when forgotten';
COMMENT ON COLUMN people.patients.terms_of IS
    'beginnings of the data_key and the profile that search_terms were made of; if these differ, they have to be made again';
