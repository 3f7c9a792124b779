-- add --
-- The patient's row is locked: whoever is forgotten at this moment has no notes afterwards.
INSERT INTO people.notes (id, patient_id, written_by, written_at, content)
SELECT $1, p.id, $3, $4, $5 FROM people.patients p WHERE p.id = $2 AND p.forgotten_at IS NULL FOR SHARE
ON CONFLICT (id) DO NOTHING
RETURNING id

-- find --
SELECT * FROM people.notes WHERE id = $1
