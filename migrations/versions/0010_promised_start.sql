-- The local time that was promised, beside the instant (`contracts.promise`): the rules of a zone may change.
ALTER TABLE booking.appointments ADD COLUMN promised_start text;
COMMENT ON COLUMN booking.appointments.promised_start IS
    'start as it was promised: local time, offset and zone (RFC 9557); null if an earlier release booked or moved it';

-- As `booking.appointment_row`, which workers of the release before still send.
CREATE TYPE booking.appointment_row_2 AS (
    id             uuid,
    doctor_id      uuid,
    patient_id     uuid,
    visit_type     text,
    version        integer,
    booked_at      timestamptz,
    cancel_reason  text,
    reason         text,
    promised_start text,
    starts_at      timestamptz,
    ends_at        timestamptz,
    occupied       tstzrange,
    status         text,
    cancelled_by   text
);

-- A worker of the release before moves a visit and leaves the promise as it was: it is none for the new time. The
-- release after this one needs no trigger.
CREATE FUNCTION booking.forget_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.promised_start := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER forget_promise BEFORE UPDATE OF starts_at ON booking.appointments
    FOR EACH ROW WHEN (NEW.starts_at <> OLD.starts_at AND NEW.promised_start = OLD.promised_start)
    EXECUTE FUNCTION booking.forget_promise();
REVOKE EXECUTE ON FUNCTION booking.forget_promise() FROM PUBLIC;

ALTER TABLE notify.appointments
    ADD COLUMN promised_start text,
    ADD COLUMN previous_promised_start text;
COMMENT ON COLUMN notify.appointments.promised_start IS
    'start as it was promised, as in booking.appointments; it may be that of an earlier time';
COMMENT ON COLUMN notify.appointments.previous_promised_start IS
    'the promise for previous_starts_at; null if there is none';
