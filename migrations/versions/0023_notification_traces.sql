-- A notification may be sent days after it was planned, and belongs to the trace of its event all the same.
ALTER TABLE notify.notifications ADD COLUMN traceparent text;

COMMENT ON COLUMN notify.notifications.traceparent IS
    'trace context (W3C) of its event; null if no traces were collected when it was planned, or the event had none';
