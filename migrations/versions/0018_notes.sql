-- Notes of staff about patients. Nobody changes one; an error is put right by another note.
CREATE TABLE people.notes (
    id         uuid        PRIMARY KEY,
    patient_id uuid        NOT NULL REFERENCES people.patients,
    written_by uuid        NOT NULL,
    written_at timestamptz NOT NULL,
    content    bytea       NOT NULL
);
CREATE INDEX notes_of_patient ON people.notes (patient_id, written_at, id);

COMMENT ON TABLE people.notes IS
    'Notes of staff about patients: written once, never changed, deleted when the patient is forgotten.';
COMMENT ON COLUMN people.notes.id IS 'made of who wrote it and their Idempotency-Key, so that no repeat writes another';
COMMENT ON COLUMN people.notes.patient_id IS 'id of the patient';
COMMENT ON COLUMN people.notes.written_by IS 'id of the member of staff';
COMMENT ON COLUMN people.notes.written_at IS 'when it was written';
COMMENT ON COLUMN people.notes.content IS 'the text, sealed by the patient''s data key';

GRANT SELECT, INSERT, DELETE ON people.notes TO clinic_ingress;
