-- Calendar subscriptions: whoever has the address, which holds a secret, sees the times.
CREATE TABLE login.calendar_links (
    owner_kind text        NOT NULL CHECK (owner_kind IN ('patient', 'doctor')),
    owner_id   uuid        NOT NULL,
    hash       bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    made_by    uuid        NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (owner_kind, owner_id)
);

COMMENT ON TABLE login.calendar_links IS
    'Calendar subscriptions, at most one of each patient and doctor. Deleted when it is withdrawn, when the patient is '
    'forgotten, or when the account of the staff who made it is disabled or gets a new factor.';
COMMENT ON COLUMN login.calendar_links.owner_kind IS 'whose appointments it shows: a patient''s or a doctor''s';
COMMENT ON COLUMN login.calendar_links.owner_id IS 'id of the patient or the doctor';
COMMENT ON COLUMN login.calendar_links.hash IS 'SHA-256 of the secret in the address, which has 256 random bits';
COMMENT ON COLUMN login.calendar_links.made_by IS 'id of the patient or the member of staff';
COMMENT ON COLUMN login.calendar_links.made_at IS 'when it was made; an earlier one ended then';

GRANT SELECT, INSERT, DELETE ON login.calendar_links TO clinic_ingress;
GRANT UPDATE (hash, made_by, made_at) ON login.calendar_links TO clinic_ingress;
