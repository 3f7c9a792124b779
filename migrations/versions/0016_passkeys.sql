-- Passkeys (WebAuthn) of patients and staff: each a public key, whose private key is on a device of theirs.
CREATE TABLE login.passkeys (
    id            uuid        PRIMARY KEY,
    credential_id bytea       NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 16 AND 1023),
    person_id     uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('patient', 'staff')),
    user_handle   bytea       NOT NULL CHECK (length(user_handle) = 32),
    public_key    bytea       NOT NULL CHECK (length(public_key) <= 2048),
    sign_count    bigint      NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    synced        boolean     NOT NULL,
    name          bytea       NOT NULL,
    created_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX passkeys_of_person ON login.passkeys (person_id);

COMMENT ON TABLE login.passkeys IS
    'Passkeys (WebAuthn), by which patients and staff log in. Deleted when the patient is forgotten, or when the '
    'account of staff is disabled or gets a new factor.';
COMMENT ON COLUMN login.passkeys.id IS 'the `passkey_id` of security events';
COMMENT ON COLUMN login.passkeys.credential_id IS 'the id by which the authenticator finds the private key';
COMMENT ON COLUMN login.passkeys.person_id IS 'id of the patient or the member of staff';
COMMENT ON COLUMN login.passkeys.kind IS 'patient or staff';
COMMENT ON COLUMN login.passkeys.user_handle IS
    'random, the same for all passkeys of a person: what an authenticator knows the person by';
COMMENT ON COLUMN login.passkeys.public_key IS 'COSE key (RFC 9052, section 7)';
COMMENT ON COLUMN login.passkeys.sign_count IS
    'the authenticator''s counter at the last use: one that goes back was copied. 0 where it does not count';
COMMENT ON COLUMN login.passkeys.synced IS 'the private key may leave the device, as in a backup or a password manager';
COMMENT ON COLUMN login.passkeys.name IS 'the name that the person gave it, sealed';
COMMENT ON COLUMN login.passkeys.created_at IS 'when it was added';
COMMENT ON COLUMN login.passkeys.used_at IS 'the last login with it; null before the first';

GRANT SELECT, INSERT, DELETE ON login.passkeys TO clinic_ingress;
GRANT UPDATE (sign_count, used_at) ON login.passkeys TO clinic_ingress;
