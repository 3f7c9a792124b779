"""The seeded defects."""

from tests.faults.bugs.defect import Change, Defect

INGRESS = "ingress/"
WORKER = "booking_worker/"
# Where the statement that writes decisions ends.
DECISIONS = "$13::bigint[], $14::timestamptz[]\n    )\n)"

DEFECTS = (
    Defect(
        "position-moved-apart",
        "A worker that dies in between leaves decisions behind a position that does not know of them.",
        ("I1", "I5", "I9"),
        (
            Change(
                f"{WORKER}sql.py",
                "WHERE p.topic = $1 AND p.partition = u.partition\n",
                "WHERE p.topic = $1 AND p.partition = u.partition AND false\n",
            ),
            Change(
                f"{WORKER}decider.py",
                "            self._took(perf_counter() - begun)\n",
                "            await asyncio.sleep(0.05)\n"
                "            for number, next_offset, events, published in moved:\n"
                "                await connection.execute(\n"
                '                    "UPDATE booking.partition_progress SET next_offset = $3,"\n'
                '                    " event_count = $4, published_count = greatest(published_count, $5)"\n'
                '                    " WHERE topic = $1 AND partition = $2",\n'
                "                    *(self._topic, number, next_offset, events, published),\n"
                "                )\n"
                "            self._took(perf_counter() - begun)\n",
            ),
        ),
        ("kill-workers", "quit-postgres"),
        20.0,
    ),
    Defect(
        "commit-before-decide",
        "Commands that were read and not decided when a worker died are lost.",
        ("I1",),
        (
            Change(
                f"{WORKER}consumer.py",
                "self._consumer.seek(partition, owned.next_offset)\n                self._consumer.resume",
                "owned.next_offset = await self._consumer.committed(partition) or 0\n"
                "                self._consumer.seek(partition, owned.next_offset)\n"
                "                self._consumer.resume",
            ),
            Change(
                f"{WORKER}consumer.py",
                "TopicPartition(self._topic, number): owned.next_offset\n",
                "TopicPartition(self._topic, number):\n"
                "                await self._consumer.position(TopicPartition(self._topic, number))\n",
            ),
            Change(f"{WORKER}consumer.py", "COMMIT_INTERVAL_S = 5.0", "COMMIT_INTERVAL_S = 0.02"),
            Change(
                f"{WORKER}consumer.py",
                "self._consumer.commit(offsets)",
                "self._consumer.commit(offsets or None)",
            ),
            Change(
                f"{WORKER}partition.py",
                "if position.next_offset == self.next_offset:",
                "if position.next_offset <= self.next_offset:",
            ),
            Change(
                f"{WORKER}decider.py",
                "            return await self._decide({owned: transactions[0]",
                "            await asyncio.sleep(0.1)\n"
                "            return await self._decide({owned: transactions[0]",
            ),
        ),
        ("kill-workers", "latency"),
    ),
    Defect(
        "no-fence",
        "A worker that was frozen and replaced decides again what the other has decided.",
        ("I1", "I5"),
        (
            Change(
                f"{WORKER}partition.py",
                "if position.next_offset == self.next_offset:",
                "if True:",
            ),
            Change(
                f"{WORKER}deciding.py",
                "(command_id in seen or command_id in decided_before)",
                "command_id in seen",
            ),
            Change(f"{WORKER}sql.py", DECISIONS, f"{DECISIONS[:-2]} ON CONFLICT DO NOTHING\n)"),
        ),
        ("freeze-worker",),
    ),
    Defect(
        "remembered-too-long",
        "A worker that gets a partition back decides by what it remembers of the doctors from before.",
        ("I5",),
        (
            Change(
                f"{WORKER}main.py",
                "            return OwnedPartition(commands, ids[commands], partition, publisher)\n",
                "            owned = OwnedPartition(commands, ids[commands], partition, publisher)\n"
                "            owned.doctors = take.__dict__.setdefault(str(partition), owned.doctors)\n"
                "            return owned\n",
            ),
        ),
        ("freeze-worker",),
        25.0,
    ),
    Defect(
        "decided-twice",
        "A command that is on the log twice acts twice.",
        ("I1", "I3", "I5"),
        (
            Change(f"{WORKER}deciding.py", "(command_id in seen or command_id in decided_before)", "False"),
            Change(f"{WORKER}sql.py", DECISIONS, f"{DECISIONS[:-2]} ON CONFLICT DO NOTHING\n)"),
        ),
    ),
    Defect(
        "key-ignored",
        "A repeated request books again.",
        ("I3",),
        (
            Change(
                f"{INGRESS}submit.py",
                'f"{caller.kind}:{caller.id}:{found[1] or found[0]}"',
                "f\"{caller.kind}:{caller.id}:{__import__('uuid').uuid4()}\"",
            ),
        ),
    ),
    Defect(
        "no-fingerprint",
        "A key that was used for another request is answered with that one's outcome.",
        ("I3",),
        (
            Change(
                f"{INGRESS}submit.py",
                "decision.state is not State.FAILED and decision.fingerprint != command.fingerprint",
                "False",
            ),
            Change(
                f"{INGRESS}command_state.py",
                "decision.fingerprint not in (None, receipt.fingerprint)",
                "False",
            ),
        ),
    ),
    Defect(
        "published-before-commit",
        "Others are told of what then does not happen.",
        ("I1", "I5", "I6", "I7"),
        (
            Change(
                f"{WORKER}decider.py",
                "                await store.write(connection,",
                "                self._committed(todo, batch)\n"
                "                await asyncio.sleep(0.05)\n"
                "                await store.write(connection,",
            ),
        ),
        ("kill-workers", "quit-postgres"),
        20.0,
    ),
    Defect(
        "counted-before-published",
        "Events that were not published when a worker died are never published.",
        ("I1", "I5"),
        (
            Change(
                f"{WORKER}decider.py",
                "                        owned.publisher.published_count,\n",
                "                        batch.event_counts[owned.number],\n",
            ),
            Change(
                f"{WORKER}publisher.py",
                "            await self._send(events)\n",
                "            await asyncio.sleep(0.1)\n            await self._send(events)\n",
            ),
        ),
        ("kill-workers", "latency"),
        20.0,
    ),
    Defect(
        "events-out-of-order",
        "Those who follow the events see a change before what it changes.",
        ("I5",),
        (Change(f"{WORKER}publisher.py", "for event in events:\n", "for event in reversed(events):\n"),),
        ("kill-workers", "latency"),
    ),
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
        "The time before and after a visit is given away.",
        ("I2", "I5"),
        (
            Change(
                "scheduling/appointments.py",
                "    wanted = with_buffers(visit, visit_type)\n"
                "    if reason := _why_not_take(book, doctor, visit, wanted, command.patient_id,",
                "    wanted = visit\n"
                "    if reason := _why_not_take(book, doctor, visit, wanted, command.patient_id,",
            ),
        ),
    ),
    Defect(
        "wall-clock",
        "What is decided depends on when, and by whose clock, and nobody can decide it again.",
        ("I5",),
        (
            Change(
                f"{WORKER}deciding.py",
                "decide(self.book, command, item.at)",
                "decide(self.book, command, datetime.now(item.at.tzinfo))",
            ),
        ),
        ("jump-clock",),
        18.0,
    ),
    Defect(
        "wrong-reason",
        "A patient is told to take another time, and no time would do.",
        ("I5",),
        (
            Change(
                "scheduling/appointments.py",
                "        return Reason.PATIENT_BUSY\n",
                "        return Reason.SLOT_TAKEN\n",
            ),
        ),
    ),
    Defect(
        "old-time-kept",
        "A time that was given back by moving the appointment stays taken.",
        ("I5",),
        (
            Change(
                f"{WORKER}sql.py",
                "occupied = tstzrange(u.f, u.u),",
                "occupied = range_merge(a.occupied, tstzrange(u.f, u.u)),",
            ),
        ),
    ),
    Defect(
        "outage-is-a-bug",
        "While the database is away, good commands are set aside.",
        ("I1", "I9"),
        (Change(f"{WORKER}decider.py", "if is_outage(error):", "if False:"),),
        ("quit-postgres",),
    ),
    Defect(
        "a-bug-stops-everything",
        "One command that the worker cannot handle keeps all behind it from being decided.",
        ("I1",),
        (Change(f"{WORKER}decider.py", "if tries < TRIES_MAX:", "if True:"),),
        ("handler-bug",),
    ),
    Defect(
        "dead-letter-swallowed",
        "What cannot be decided vanishes.",
        ("I9",),
        (
            Change(
                f"{WORKER}decider.py",
                "                await self._dead_letters.publish(batch.dead_letters)\n",
                "",
            ),
        ),
        ("poison",),
    ),
    Defect(
        "dead-letter-without-reason",
        "Nobody can tell what was wrong with it.",
        ("I9",),
        (
            Change(
                "contracts/dead_letters.py",
                '("dlq_reason", str(error.reason).encode())',
                '("dlq_reason", b"")',
            ),
        ),
        ("poison",),
    ),
    Defect(
        "status-remembered",
        "Who asks too early is told `pending` for ever.",
        ("I1", "I7"),
        (
            Change(
                f"{INGRESS}decisions.py",
                "        return await self._found.get(command_id)\n",
                '        known = self.__dict__.setdefault("_early", {})\n'
                "        if command_id not in known:\n"
                "            known[command_id] = await self._found.get(command_id)\n"
                "        return known[command_id]\n",
            ),
        ),
    ),
    Defect(
        "stale-availability",
        "A slot is offered that somebody has taken long ago.",
        ("I6",),
        (
            Change(
                f"{INGRESS}availability_cache.py",
                "known.calendar_version == version and ",
                "",
            ),
        ),
    ),
    Defect(
        "anothers-appointment",
        "A patient sees the visit of somebody else.",
        ("I6",),
        (Change(f"{INGRESS}appointment_reads.py", 'row["patient_id"] != caller.id:', "False:"),),
    ),
    Defect(
        "page-again",
        "A list shows the same appointment on two pages.",
        ("I6",),
        (
            Change(
                f"{INGRESS}appointment_reads.py",
                '"(starts_at, id) > ({}, {})"',
                '"(starts_at, id) >= ({}, {})"',
            ),
        ),
    ),
    Defect(
        "tag-of-the-question",
        "Whoever asks again is told that nothing has changed.",
        ("I6",),
        (
            Change(
                f"{INGRESS}availability_cache.py",
                "hashlib.sha256(body).hexdigest()[:32]",
                "hashlib.sha256(str(query).encode()).hexdigest()[:32]",
            ),
        ),
    ),
)
