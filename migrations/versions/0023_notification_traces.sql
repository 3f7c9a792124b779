-- A notification may be sent days after it was planned, and belongs to the trace of its event all the same.
ALTER TABLE notify.notifications ADD COLUMN traceparent text;

COMMENT ON COLUMN notify.notifications.traceparent IS
    'trace context (W3C) of its event; null if the event had none, and in rows of earlier releases';
