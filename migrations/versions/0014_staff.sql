-- Accounts of staff, made by `clinic staff`: the ingress may use their factors, and neither makes nor changes one.
CREATE TABLE login.staff (
    id             uuid        PRIMARY KEY,
    account        bytea       NOT NULL UNIQUE,
    address        bytea       NOT NULL,
    role           text        NOT NULL CHECK (role IN ('staff', 'admin')),
    password_hash  text        NOT NULL,
    seed           bytea       NOT NULL,
    last_step      bigint      NOT NULL,
    enrol_until    timestamptz NOT NULL,
    enrolled_at    timestamptz,
    created_at     timestamptz NOT NULL,
    logged_in_at   timestamptz,
    disabled_at    timestamptz
);

COMMENT ON TABLE login.staff IS 'Accounts of staff: who may log in with a password and a code of their authenticator.';
COMMENT ON COLUMN login.staff.id IS 'the person''s id, as actor on the log';
COMMENT ON COLUMN login.staff.account IS 'keyed hash of the mail address, by which the account is found';
COMMENT ON COLUMN login.staff.address IS 'the mail address, sealed';
COMMENT ON COLUMN login.staff.role IS 'staff or admin';
COMMENT ON COLUMN login.staff.password_hash IS 'Argon2id (RFC 9106), with its parameters';
COMMENT ON COLUMN login.staff.seed IS 'secret of the authenticator (TOTP, RFC 6238), sealed';
COMMENT ON COLUMN login.staff.last_step IS 'time step of the last code that was used: no code counts twice';
COMMENT ON COLUMN login.staff.enrol_until IS 'until then the first login has to confirm the authenticator';
COMMENT ON COLUMN login.staff.enrolled_at IS 'when it did; null before';
COMMENT ON COLUMN login.staff.created_at IS 'when the account was made';
COMMENT ON COLUMN login.staff.logged_in_at IS 'the last login; null before the first';
COMMENT ON COLUMN login.staff.disabled_at IS 'nobody logs in with it since then; null otherwise';

CREATE TABLE login.recovery_codes (
    hash     bytea PRIMARY KEY CHECK (length(hash) = 32),
    staff_id uuid  NOT NULL REFERENCES login.staff ON DELETE CASCADE
);
CREATE INDEX recovery_codes_of_staff ON login.recovery_codes (staff_id);

COMMENT ON TABLE login.recovery_codes IS 'Codes for a login without the authenticator, deleted when they are used.';
COMMENT ON COLUMN login.recovery_codes.hash IS 'SHA-256 of the account''s id and the code, which has 80 random bits';
COMMENT ON COLUMN login.recovery_codes.staff_id IS 'whose it is';

GRANT SELECT ON login.staff TO clinic_ingress;
GRANT UPDATE (last_step, enrolled_at, logged_in_at) ON login.staff TO clinic_ingress;
GRANT SELECT, DELETE ON login.recovery_codes TO clinic_ingress;
