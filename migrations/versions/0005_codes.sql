-- A newer release may store codes that this one does not know, and events that are folded may carry them.
ALTER TABLE booking.appointments
    DROP CONSTRAINT appointments_status_check,
    DROP CONSTRAINT appointments_cancelled_by_check,
    ADD CONSTRAINT appointments_status_check CHECK (status ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    ADD CONSTRAINT appointments_cancelled_by_check CHECK (cancelled_by ~ '^[a-z0-9][a-z0-9_-]{0,39}$');
ALTER TABLE booking.decisions
    DROP CONSTRAINT decisions_state_check,
    ADD CONSTRAINT decisions_state_check CHECK (state ~ '^[a-z0-9][a-z0-9_-]{0,39}$' AND state <> 'pending');
