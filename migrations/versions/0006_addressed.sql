-- A command about an appointment need not name a doctor. It goes to the one the appointment has when it is first
-- sent, and every retry with its key goes there too, wherever the appointment has moved by then.
CREATE TABLE booking.addressed_commands (
    command_id uuid PRIMARY KEY,
    doctor_id  uuid NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON booking.addressed_commands TO clinic_ingress;
