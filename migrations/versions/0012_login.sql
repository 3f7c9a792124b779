-- Logins: what is known of the people who are logged in, and of attempts that failed.
CREATE SCHEMA login;
COMMENT ON SCHEMA login IS 'Sessions, refresh tokens and failed logins.';

CREATE TABLE login.sessions (
    id               uuid        PRIMARY KEY,
    person_id        uuid        NOT NULL,
    role             text        NOT NULL CHECK (role IN ('patient', 'staff', 'admin')),
    methods          text[]      NOT NULL,
    authenticated_at timestamptz NOT NULL,
    begun_at         timestamptz NOT NULL,
    used_at          timestamptz NOT NULL,
    idle_ends_at     timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL CHECK (ends_at >= begun_at),
    ended_at         timestamptz,
    end_reason       text,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_of_person ON login.sessions (person_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON login.sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_by_end ON login.sessions (ends_at);

COMMENT ON TABLE login.sessions IS
    'Logins, each the family of its refresh tokens. Over once `ended_at` is set, or `idle_ends_at` or `ends_at` has '
    'passed; deleted some weeks later.';
COMMENT ON COLUMN login.sessions.id IS 'the `sid` of access tokens, the `family_id` of security events';
COMMENT ON COLUMN login.sessions.person_id IS 'id of the patient or the member of staff';
COMMENT ON COLUMN login.sessions.role IS 'what the person may do: patient, staff or admin';
COMMENT ON COLUMN login.sessions.methods IS 'how the person proved who they are (RFC 8176)';
COMMENT ON COLUMN login.sessions.authenticated_at IS 'when the person last proved it';
COMMENT ON COLUMN login.sessions.begun_at IS 'when the person logged in';
COMMENT ON COLUMN login.sessions.used_at IS 'when a refresh token was last exchanged, at first the login';
COMMENT ON COLUMN login.sessions.idle_ends_at IS 'end, unless it is used before';
COMMENT ON COLUMN login.sessions.ends_at IS 'end, however often it is used';
COMMENT ON COLUMN login.sessions.ended_at IS 'when it was ended by somebody; null otherwise';
COMMENT ON COLUMN login.sessions.end_reason IS 'why: logged_out, ended_by_person, token_reused, …';

CREATE TABLE login.refresh_tokens (
    hash       bytea       PRIMARY KEY CHECK (length(hash) = 32),
    session_id uuid        NOT NULL REFERENCES login.sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz,
    successor  bytea,
    CHECK ((used_at IS NULL) = (successor IS NULL))
);
CREATE INDEX refresh_tokens_of_session ON login.refresh_tokens (session_id);

COMMENT ON TABLE login.refresh_tokens IS 'Refresh tokens, each good for one exchange.';
COMMENT ON COLUMN login.refresh_tokens.hash IS 'SHA-256 of the token, which has 256 random bits';
COMMENT ON COLUMN login.refresh_tokens.session_id IS 'the session that it continues';
COMMENT ON COLUMN login.refresh_tokens.issued_at IS 'when it was given out';
COMMENT ON COLUMN login.refresh_tokens.used_at IS 'when it was exchanged; null if it was not yet';
COMMENT ON COLUMN login.refresh_tokens.successor IS
    'the token that it was exchanged for, sealed under the old token, so that only its holder can read it';

CREATE TABLE login.failures (
    account         bytea       PRIMARY KEY,
    count           integer     NOT NULL CHECK (count > 0),
    first_failed_at timestamptz NOT NULL,
    last_failed_at  timestamptz NOT NULL
);
CREATE INDEX failures_by_time ON login.failures (last_failed_at);

COMMENT ON TABLE login.failures IS
    'Failed logins of each account since its last success, known or not; deleted some days after the last one.';
COMMENT ON COLUMN login.failures.account IS 'keyed hash of the mail address';
COMMENT ON COLUMN login.failures.count IS 'failures in a row';
COMMENT ON COLUMN login.failures.first_failed_at IS 'the first of them';
COMMENT ON COLUMN login.failures.last_failed_at IS 'the last of them';

GRANT USAGE ON SCHEMA login TO clinic_ingress;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA login TO clinic_ingress;
