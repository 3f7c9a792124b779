-- The ingress reads a patient's own, for the export of their data.
CREATE INDEX notifications_by_patient ON notify.notifications (patient_id) WHERE patient_id IS NOT NULL;

GRANT USAGE ON SCHEMA notify TO clinic_ingress;
GRANT SELECT (id, kind, appointment_id, version, patient_id, state, channel, dated, finished_at)
    ON notify.notifications TO clinic_ingress;
