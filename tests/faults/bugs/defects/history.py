"""Defects of what notices that a database or a log has lost its end, or holds what nobody decided."""

from tests.faults.bugs.defect import Change, Defect

RECOVERY = "booking_worker/recovery/"

DEFECTS = (
    Defect(
        "older-database-decided-on",
        "After Postgres came back older, times that were confirmed are given to others.",
        ("I1", "I2", "I3", "I5", "I6", "I7", "I8"),
        (
            Change(
                f"{RECOVERY}gate.py",
                'if self._database is None or await connection.fetchrow(statements["database"]) '
                "!= self._database:",
                "if self._database is None:",
            ),
            Change(f"{RECOVERY}gate.py", "        if _is_older(positions, known):\n", "        if False:\n"),
            Change(
                "ingress/commands/known_positions.py",
                "        for number, (topic_id, next_offset) in known.items():\n",
                "        for number, (topic_id, next_offset) in ():\n",
            ),
        ),
        ("restore-running",),
        1.0,
    ),
    Defect(
        "confirmed-becomes-pending",
        "While an older database is caught up, clients are told of the past.",
        ("I1", "I3", "I6", "I7"),
        (
            Change(
                "ingress/commands/known_positions.py",
                "        for number, (topic_id, next_offset) in known.items():\n",
                "        for number, (topic_id, next_offset) in ():\n",
            ),
        ),
        ("restore-running",),
        1.0,
    ),
    Defect(
        "lost-events-stay-lost",
        "Events that the topic lost never come into the audit trail of who reads it later.",
        ("I5",),
        (
            Change(
                f"{RECOVERY}published_events.py",
                "        return position.published_count <= await self.count(number, position, 0)\n",
                "        return True\n",
            ),
            Change(
                f"{RECOVERY}catch_up.py",
                "                if last < position.published_count:\n",
                "                if False:\n",
            ),
        ),
        ("cut-events",),
        1.0,
    ),
    Defect(
        "failed-by-position",
        "A command whose record was lost is called failed, and a repeat of it is confirmed.",
        ("I7",),
        (
            Change(
                "ingress/commands/status.py",
                "        decision = await app.decisions.find(receipt.command_id)\n",
                "        decision = Decision(\n"
                '            receipt.command_id, receipt.fingerprint, "failed", None,\n'
                "            receipt.partition, receipt.offset, receipt.submitted_at,\n"
                "        )\n",
            ),
        ),
        ("cut-commands-undecided",),
        1.0,
    ),
    Defect(
        "believes-anybody",
        "Whoever can write to the topic of events writes the audit trail, and patients get mail about it.",
        ("AUDIT", "I5"),
        (
            Change(
                "infra/kafka/event_consumer.py",
                "            if self._authentic is not None:\n",
                "            if False:\n",
            ),
        ),
        ("forged-event",),
        1.0,
    ),
    Defect(
        "folds-forged-events",
        "After a restore, events that no worker wrote become the clinic's book.",
        ("I1", "I5", "I7", "I11"),
        (
            Change(
                f"{RECOVERY}published_events.py",
                "                yield await self._authentic.among("
                "self._pool, position.partition, records, earlier=earlier)\n",
                "                yield records\n",
            ),
        ),
        ("forged-while-down",),
        1.0,
    ),
    Defect(
        "forged-in-silence",
        "Somebody writes to the topic of events for weeks, and nothing reports it.",
        ("I11",),
        (
            Change(
                "storage/authentic_events.py",
                "        if not new:\n            return\n",
                "        return\n",
            ),
        ),
        ("forged-event",),
        1.0,
    ),
    Defect(
        "mac-of-the-data-alone",
        "A copy of an event under another number is believed: an event happens twice.",
        ("AUDIT", "I5", "I11"),
        (
            Change(
                "infra/crypto/event_mac.py",
                "        for name, content in headers:\n",
                "        for name, content in ():\n",
            ),
        ),
        ("forged-event",),
        1.0,
    ),
)
