"""Defects of the rules and of the tables that enforce them."""

from tests.faults.bugs.defect import Change, Defect

WORKER = "booking_worker/"

DEFECTS = (
    Defect(
        "no-guard",
        "Two patients have the same doctor at the same time.",
        ("I2", "I5"),
        (
            Change(
                "migrations/versions/0001_book.sql",
                "    CONSTRAINT slot_taken EXCLUDE USING gist (doctor_id WITH =, occupied WITH &&)\n"
                "        WHERE (status = 'booked'),\n",
                "",
            ),
            Change("scheduling/slots.py", "        return Reason.SLOT_TAKEN\n", "        return None\n"),
        ),
    ),
    Defect(
        "no-guard-for-patients",
        "Two workers book the same patient with two doctors at the same time.",
        ("I2", "I5"),
        (
            Change(
                "migrations/versions/0001_book.sql",
                "    CONSTRAINT patient_busy EXCLUDE USING gist "
                "(patient_id WITH =, tstzrange(starts_at, ends_at) WITH &&)\n"
                "        WHERE (status = 'booked')\n",
                "    CHECK (true)\n",
            ),
        ),
        ("kill-workers", "latency"),
        90.0,
    ),
    Defect(
        "buffers-ignored",
        "The buffers before and after a visit are booked.",
        ("I2", "I5"),
        (
            Change(
                "scheduling/appointments.py",
                "    wanted = with_buffers(visit, visit_type)\n"
                "    if refusal := _check_time(book, doctor, visit, wanted, command.patient_id,",
                "    wanted = visit\n"
                "    if refusal := _check_time(book, doctor, visit, wanted, command.patient_id,",
            ),
        ),
    ),
    Defect(
        "wall-clock",
        "Decisions depend on the clock of the worker and cannot be reproduced.",
        ("I5",),
        (
            Change(
                f"{WORKER}decide/decision_batch.py",
                "decide(self.book, command, record.at)",
                "decide(self.book, command, datetime.now(record.at.tzinfo))",
            ),
        ),
        ("jump-clock",),
        18.0,
    ),
    Defect(
        "wrong-reason",
        "A patient is told that the slot is taken, although the patient has another visit then.",
        ("I5",),
        (
            Change(
                "scheduling/appointments.py",
                "return Refusal(Reason.PATIENT_BUSY, ",
                "return Refusal(Reason.SLOT_TAKEN, ",
            ),
        ),
    ),
    Defect(
        "old-time-kept",
        "The old time of a rescheduled appointment stays taken.",
        ("I5",),
        (
            Change(
                f"{WORKER}store/store.py",
                'f"{column} = u.{column}" for column in APPOINTMENT_COLUMNS)',
                'f"{column} = u.{column}" for column in APPOINTMENT_COLUMNS)'
                '.replace("= u.occupied", "= range_merge(a.occupied, u.occupied)")',
            ),
        ),
    ),
)
