-- What each table and column holds, for whoever looks into the database.

COMMENT ON TABLE booking.partition_progress IS
    'How far each partition of the commands'' topic is decided, and its events are published. Locked '
    'first in every transaction of a worker: the fence between two owners.';
COMMENT ON COLUMN booking.partition_progress.topic IS 'name of the commands'' topic, with the namespace';
COMMENT ON COLUMN booking.partition_progress.partition IS 'number of the partition';
COMMENT ON COLUMN booking.partition_progress.topic_id IS
    'Kafka''s id of the topic (KIP-516): a topic made again has another';
COMMENT ON COLUMN booking.partition_progress.next_offset IS 'offset of the next command to decide';
COMMENT ON COLUMN booking.partition_progress.event_count IS
    'events decided so far: the sequence of the last one';
COMMENT ON COLUMN booking.partition_progress.published_count IS 'events published so far, of those decided';

COMMENT ON TABLE booking.decisions IS
    'The decision on each command, for ever: a repeated key gets the same answer.';
COMMENT ON COLUMN booking.decisions.command_id IS 'derived from the caller and the Idempotency-Key';
COMMENT ON COLUMN booking.decisions.command_type IS 'such as BookAppointment';
COMMENT ON COLUMN booking.decisions.fingerprint IS
    'keyed hash of the request; null where the command could not be read';
COMMENT ON COLUMN booking.decisions.state IS 'confirmed, refused, failed, or what a newer release adds';
COMMENT ON COLUMN booking.decisions.reason IS 'code of the refusal; null unless refused';
COMMENT ON COLUMN booking.decisions.count IS
    'number that belongs to the reason, such as of conflicting bookings';
COMMENT ON COLUMN booking.decisions.partition IS 'partition of the command';
COMMENT ON COLUMN booking.decisions."offset" IS 'offset of the command in its partition';
COMMENT ON COLUMN booking.decisions.decided_at IS 'the command''s time by the broker';

COMMENT ON TABLE booking.doctors IS 'Doctors as the events have made them.';
COMMENT ON COLUMN booking.doctors.id IS 'id of the doctor, the key of their commands and events';
COMMENT ON COLUMN booking.doctors.name IS 'name, as it is shown';
COMMENT ON COLUMN booking.doctors.specialty IS 'specialty, as it is shown';
COMMENT ON COLUMN booking.doctors.time_zone IS 'IANA time zone of the weekly hours';
COMMENT ON COLUMN booking.doctors.active IS 'false: keeps the bookings and takes no new ones';
COMMENT ON COLUMN booking.doctors.visit_types IS 'array of the visit types, in their order';
COMMENT ON COLUMN booking.doctors.policy IS 'rules for bookings (contracts.doctors.Policy)';
COMMENT ON COLUMN booking.doctors.hours IS 'array of the weekly hours, in local time';

COMMENT ON TABLE booking.calendar_versions IS
    'A number per doctor that every fact raises which changes what the calendar shows: caches compare it.';
COMMENT ON COLUMN booking.calendar_versions.doctor_id IS 'id of the doctor';
COMMENT ON COLUMN booking.calendar_versions.version IS 'raised in the transaction of each change';

COMMENT ON TABLE booking.time_off IS 'Times at which doctors are unavailable.';
COMMENT ON COLUMN booking.time_off.id IS 'id of the time off, derived from its command';
COMMENT ON COLUMN booking.time_off.doctor_id IS 'id of the doctor';
COMMENT ON COLUMN booking.time_off.starts_at IS 'first instant';
COMMENT ON COLUMN booking.time_off.ends_at IS 'first instant after it';
COMMENT ON COLUMN booking.time_off.note IS 'a note of the staff, sealed; null if there is none';

COMMENT ON TABLE booking.appointments IS 'Appointments in their latest version.';
COMMENT ON COLUMN booking.appointments.id IS 'id of the appointment, derived from its command';
COMMENT ON COLUMN booking.appointments.doctor_id IS 'doctor who has it now';
COMMENT ON COLUMN booking.appointments.patient_id IS 'id of the patient; who that is, is in people.patients';
COMMENT ON COLUMN booking.appointments.visit_type IS 'code of a visit type of the doctor';
COMMENT ON COLUMN booking.appointments.starts_at IS 'start of the visit';
COMMENT ON COLUMN booking.appointments.ends_at IS 'end of the visit';
COMMENT ON COLUMN booking.appointments.occupied IS
    'the doctor''s time, buffers included: no two booked ones overlap';
COMMENT ON COLUMN booking.appointments.status IS
    'booked, cancelled, completed, no_show, or what a newer release adds';
COMMENT ON COLUMN booking.appointments.version IS '1 when booked, raised by each change';
COMMENT ON COLUMN booking.appointments.booked_at IS 'when the booking was decided';
COMMENT ON COLUMN booking.appointments.cancelled_by IS 'patient, staff or clinic; null unless cancelled';
COMMENT ON COLUMN booking.appointments.cancel_reason IS 'code given by staff; null if there is none';
COMMENT ON COLUMN booking.appointments.reason IS
    'reason for the visit, sealed under the patient''s key; null if none was given';

COMMENT ON VIEW booking.doctor_books IS 'Each doctor whole, as storage.rows reads it.';
COMMENT ON COLUMN booking.doctor_books.id IS 'doctors.id';
COMMENT ON COLUMN booking.doctor_books.name IS 'doctors.name';
COMMENT ON COLUMN booking.doctor_books.specialty IS 'doctors.specialty';
COMMENT ON COLUMN booking.doctor_books.time_zone IS 'doctors.time_zone';
COMMENT ON COLUMN booking.doctor_books.active IS 'doctors.active';
COMMENT ON COLUMN booking.doctor_books.visit_types IS 'doctors.visit_types';
COMMENT ON COLUMN booking.doctor_books.policy IS 'doctors.policy';
COMMENT ON COLUMN booking.doctor_books.hours IS 'doctors.hours';
COMMENT ON COLUMN booking.doctor_books.calendar_version IS 'calendar_versions.version';
COMMENT ON COLUMN booking.doctor_books.time_off IS 'array of [id, starts_at, ends_at, note], by start';

COMMENT ON TABLE booking.events IS
    'Events, stored with the decision that they belong to and published after it.';
COMMENT ON COLUMN booking.events.partition IS 'partition of the command, and of the event''s record';
COMMENT ON COLUMN booking.events.sequence IS 'number in the partition, from 1 without a gap';
COMMENT ON COLUMN booking.events.event_id IS 'derived from partition and sequence of the command''s record';
COMMENT ON COLUMN booking.events.type IS 'such as AppointmentBooked';
COMMENT ON COLUMN booking.events.key IS 'key of the record: the doctor of the command';
COMMENT ON COLUMN booking.events.subject IS 'id that it is about: of the appointment, or the doctor';
COMMENT ON COLUMN booking.events.command_id IS 'the command that was decided';
COMMENT ON COLUMN booking.events.decided_at IS 'the command''s time by the broker';
COMMENT ON COLUMN booking.events.traceparent IS 'trace of the request (W3C); null if there was none';
COMMENT ON COLUMN booking.events.data IS 'the event as it is published, byte for byte';

COMMENT ON TABLE booking.addressed_commands IS
    'The doctor to whom a command without one was sent first: every retry goes to the same.';
COMMENT ON COLUMN booking.addressed_commands.command_id IS 'id of the command';
COMMENT ON COLUMN booking.addressed_commands.doctor_id IS 'the appointment''s doctor at the first try';

COMMENT ON TABLE people.patients IS
    'Who the patients are, sealed under a key of each patient''s own. A forgotten patient is an id.';
COMMENT ON COLUMN people.patients.id IS 'id of the patient, in appointments and events';
COMMENT ON COLUMN people.patients.address_index IS
    'keyed hash of the mail address in its comparable form; null when forgotten';
COMMENT ON COLUMN people.patients.data_key IS
    'the patient''s key, wrapped by the master key; null when forgotten';
COMMENT ON COLUMN people.patients.profile IS
    'name, addresses and choices, sealed by data_key; null when forgotten';
COMMENT ON COLUMN people.patients.created_at IS 'when the patient was registered';
COMMENT ON COLUMN people.patients.forgotten_at IS 'when the patient was forgotten; null until then';

COMMENT ON TABLE people.forgettings IS
    'Patients who asked to be forgotten, until nothing is booked for them any more.';
COMMENT ON COLUMN people.forgettings.patient_id IS 'id of the patient';
COMMENT ON COLUMN people.forgettings.requested_at IS 'time of the request';
COMMENT ON COLUMN people.forgettings.traceparent IS
    'trace of the request, for its cancellations; null if there was none';
COMMENT ON COLUMN people.forgettings.log_ends IS
    'ends of the partitions of the commands'' log after the request; empty until they are known';
COMMENT ON COLUMN people.forgettings.completed_at IS 'when nothing was left; null while it is pending';

COMMENT ON TABLE audit.progress IS 'How far each partition of a topic is taken into the audit trail.';
COMMENT ON COLUMN audit.progress.topic IS 'name of the topic, with the namespace';
COMMENT ON COLUMN audit.progress.partition IS 'number of the partition';
COMMENT ON COLUMN audit.progress.topic_id IS
    'Kafka''s id of the topic (KIP-516): a topic made again has another';
COMMENT ON COLUMN audit.progress.next_offset IS 'offset of the next record';
COMMENT ON COLUMN audit.progress.last_sequence IS 'sequence of the last event that was taken in';

COMMENT ON TABLE audit.entries IS
    'The audit trail: a hash chain per partition of a topic. The columns before content repeat what it says.';
COMMENT ON COLUMN audit.entries.chain IS 'booking or security';
COMMENT ON COLUMN audit.entries.partition IS 'partition of the topic';
COMMENT ON COLUMN audit.entries.number IS 'number in its chain, from 1 without a gap';
COMMENT ON COLUMN audit.entries.occurred_at IS 'when it happened';
COMMENT ON COLUMN audit.entries.recorded_at IS 'when it was recorded: not part of the hash';
COMMENT ON COLUMN audit.entries.action IS 'type of the event';
COMMENT ON COLUMN audit.entries.actor_kind IS 'patient, staff or system';
COMMENT ON COLUMN audit.entries.actor_id IS
    'who did it; null where nobody is known, as for a login that failed';
COMMENT ON COLUMN audit.entries.doctor_id IS 'doctor it is about; null if none';
COMMENT ON COLUMN audit.entries.appointment_id IS 'appointment it is about; null if none';
COMMENT ON COLUMN audit.entries.patient_id IS 'patient it is about; null if none';
COMMENT ON COLUMN audit.entries.command_id IS 'command it was decided by; null if none';
COMMENT ON COLUMN audit.entries.content IS 'the entry as canonical JSON (RFC 8785)';
COMMENT ON COLUMN audit.entries.hash IS 'SHA-256 over content and the hash before';

COMMENT ON TABLE audit.chains IS 'Where each chain ends: a signed head that moves with the entries.';
COMMENT ON COLUMN audit.chains.chain IS 'booking or security';
COMMENT ON COLUMN audit.chains.partition IS 'partition of the topic';
COMMENT ON COLUMN audit.chains.size IS 'number of the last entry';
COMMENT ON COLUMN audit.chains.root IS 'root of the Merkle tree of all entries (RFC 9162)';
COMMENT ON COLUMN audit.chains.last_hash IS 'hash of the last entry';
COMMENT ON COLUMN audit.chains.signed_at IS 'time of the signature';
COMMENT ON COLUMN audit.chains.key_id IS 'id of the signing key';
COMMENT ON COLUMN audit.chains.signature IS 'Ed25519 over the columns before it';
COMMENT ON COLUMN audit.chains.frontier IS 'roots of the complete subtrees, from the left, 32 bytes each';

COMMENT ON TABLE audit.heads IS
    'Signed tree heads, to be kept elsewhere too: they show if the trail was changed.';
COMMENT ON COLUMN audit.heads.chain IS 'booking or security';
COMMENT ON COLUMN audit.heads.partition IS 'partition of the topic';
COMMENT ON COLUMN audit.heads.size IS 'number of the last entry';
COMMENT ON COLUMN audit.heads.root IS 'root of the Merkle tree of these entries';
COMMENT ON COLUMN audit.heads.last_hash IS 'hash of the last entry';
COMMENT ON COLUMN audit.heads.signed_at IS 'time of the signature';
COMMENT ON COLUMN audit.heads.key_id IS 'id of the signing key';
COMMENT ON COLUMN audit.heads.signature IS 'Ed25519 over the columns before it (contracts.audit.Head)';

COMMENT ON TABLE audit.stubs IS
    'The hashes of dropped months, so that the rest of a chain can still be verified.';
COMMENT ON COLUMN audit.stubs.chain IS 'booking or security';
COMMENT ON COLUMN audit.stubs.partition IS 'partition of the topic';
COMMENT ON COLUMN audit.stubs.first_number IS 'number of the first dropped entry';
COMMENT ON COLUMN audit.stubs.last_number IS 'number of the last dropped entry';
COMMENT ON COLUMN audit.stubs.month IS 'first day of the month';
COMMENT ON COLUMN audit.stubs.hashes IS 'hashes of the entries, 32 bytes each';
COMMENT ON COLUMN audit.stubs.signed_at IS 'time of the signature';
COMMENT ON COLUMN audit.stubs.key_id IS 'id of the signing key';
COMMENT ON COLUMN audit.stubs.signature IS 'Ed25519 over the other columns (contracts.audit.Stub)';

COMMENT ON TABLE audit.retention IS
    'How long entries are kept at least: one row, which clinic migrate writes.';
COMMENT ON COLUMN audit.retention.years IS 'years that no month is dropped in';
COMMENT ON COLUMN audit.retention.one IS 'true: there is one row';

COMMENT ON TABLE notify.progress IS 'How far each partition of a topic is taken in by the notifier.';
COMMENT ON COLUMN notify.progress.topic IS 'name of the topic, with the namespace';
COMMENT ON COLUMN notify.progress.partition IS 'number of the partition';
COMMENT ON COLUMN notify.progress.topic_id IS
    'Kafka''s id of the topic (KIP-516): a topic made again has another';
COMMENT ON COLUMN notify.progress.next_offset IS 'offset of the next record';
COMMENT ON COLUMN notify.progress.last_sequence IS 'sequence of the last event that was taken in';

COMMENT ON TABLE notify.origin IS 'Patients are told nothing that happened before this: one row.';
COMMENT ON COLUMN notify.origin.at IS 'when the schema was made';

COMMENT ON TABLE notify.doctors IS 'Doctors as mails name them.';
COMMENT ON COLUMN notify.doctors.id IS 'id of the doctor';
COMMENT ON COLUMN notify.doctors.name IS 'name, as it is shown';
COMMENT ON COLUMN notify.doctors.specialty IS 'specialty, as it is shown';
COMMENT ON COLUMN notify.doctors.time_zone IS 'IANA time zone';
COMMENT ON COLUMN notify.doctors.visit_types IS
    'the latest name of each visit type ever offered, by its code';

COMMENT ON TABLE notify.appointments IS
    'The latest version of each appointment that was seen, with what its notifications say.';
COMMENT ON COLUMN notify.appointments.id IS 'id of the appointment';
COMMENT ON COLUMN notify.appointments.version IS 'version of the appointment';
COMMENT ON COLUMN notify.appointments.patient_id IS 'id of the patient';
COMMENT ON COLUMN notify.appointments.doctor_id IS 'doctor who has it now';
COMMENT ON COLUMN notify.appointments.visit_type IS 'code of the visit type';
COMMENT ON COLUMN notify.appointments.starts_at IS 'start of the visit';
COMMENT ON COLUMN notify.appointments.ends_at IS 'end of the visit';
COMMENT ON COLUMN notify.appointments.previous_doctor_id IS
    'doctor before the last reschedule; null if there was none';
COMMENT ON COLUMN notify.appointments.previous_visit_type IS
    'visit type before the last reschedule; null if there was none';
COMMENT ON COLUMN notify.appointments.previous_starts_at IS
    'start before the last reschedule; null if there was none';
COMMENT ON COLUMN notify.appointments.previous_ends_at IS
    'end before the last reschedule; null if there was none';
COMMENT ON COLUMN notify.appointments.cancelled_by IS 'patient, staff or clinic; null unless cancelled';

COMMENT ON TABLE notify.notifications IS
    'One row per notification. It names nobody: whom it goes to is looked up when it is sent.';
COMMENT ON COLUMN notify.notifications.id IS 'derived from what it is about: planned twice, it is one row';
COMMENT ON COLUMN notify.notifications.kind IS
    'confirmation, reschedule, cancellation, reminder or login_code';
COMMENT ON COLUMN notify.notifications.appointment_id IS 'appointment it is about; null for a login code';
COMMENT ON COLUMN notify.notifications.version IS 'version it is about; null for a login code';
COMMENT ON COLUMN notify.notifications.hours_before IS 'hours before the visit; null unless it is a reminder';
COMMENT ON COLUMN notify.notifications.challenge_id IS 'login challenge; null unless it is a login code';
COMMENT ON COLUMN notify.notifications.patient_id IS
    'id of the patient; null for somebody who is no patient yet';
COMMENT ON COLUMN notify.notifications.state IS
    'planned, sending, sent, superseded, dropped or undeliverable';
COMMENT ON COLUMN notify.notifications.reason IS
    'why it is dropped, undeliverable or still planned; null if nothing happened';
COMMENT ON COLUMN notify.notifications.dated IS
    'date of the message: of the event, or when a reminder falls due';
COMMENT ON COLUMN notify.notifications.due_at IS
    'when to look at it next; while it is claimed, when the claim ends';
COMMENT ON COLUMN notify.notifications.deadline_at IS 'not sent from then on';
COMMENT ON COLUMN notify.notifications.claim IS 'counts its claims: the fence between two senders';
COMMENT ON COLUMN notify.notifications.claimed_until IS 'a sender has it until then; null if none has';
COMMENT ON COLUMN notify.notifications.tries IS 'tries that failed';
COMMENT ON COLUMN notify.notifications.sends IS
    'sends begun and not known to have failed: above one, it may have arrived twice';
COMMENT ON COLUMN notify.notifications.channel IS 'the channel by which it goes, once a sender has looked';
COMMENT ON COLUMN notify.notifications.finished_at IS 'when it reached its last state; null until then';

-- The directory is no projection of events: its tables may rely on each other (docs/decisions/0020).
ALTER TABLE people.forgettings
    ADD CONSTRAINT forgettings_patient FOREIGN KEY (patient_id) REFERENCES people.patients;
