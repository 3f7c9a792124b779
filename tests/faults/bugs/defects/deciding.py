"""Defects of the worker: deciding exactly once, publishing, setting aside."""

from tests.faults.bugs.defect import Change, Defect

WORKER = "booking_worker/"
CONSUMER = "infra/kafka/consumer.py"
# Where the statement that writes decisions ends.
DECISIONS = "FROM unnest($3::booking.decision_row[])\n)"

DEFECTS = (
    Defect(
        "position-moved-apart",
        "A worker that dies in between leaves decisions that its position does not include.",
        ("I1", "I5", "I9"),
        (
            Change(
                f"{WORKER}store/queries.sql",
                "WHERE p.topic = $1 AND p.partition = moved.partition\n",
                "WHERE p.topic = $1 AND p.partition = moved.partition AND false\n",
            ),
            Change(
                f"{WORKER}decide/transaction_runner.py",
                "                self._size.took(clock.monotonic() - begun)\n",
                "                await asyncio.sleep(0.05)\n"
                "                for number, next_offset, events, published in moved:\n"
                "                    await connection.execute(\n"
                '                    "UPDATE booking.partition_progress SET next_offset = $3,"\n'
                '                    " event_count = $4, published_count = greatest(published_count, $5)"\n'
                '                    " WHERE topic = $1 AND partition = $2",\n'
                "                        *(self._topic, number, next_offset, events, published),\n"
                "                    )\n"
                "                self._size.took(clock.monotonic() - begun)\n",
            ),
        ),
        ("kill-workers", "quit-postgres"),
        20.0,
    ),
    Defect(
        "commit-before-decide",
        "Commands that a worker had read but not decided when it died are lost.",
        ("I1",),
        (
            Change(
                "infra/kafka/assigned_partition.py",
                "next_offset = self.partition.next_offset\n",
                "next_offset = await self._client.committed(self.name) or 0\n"
                "                self.partition.next_offset = next_offset\n",
            ),
            Change(
                CONSUMER,
                "name: assigned.partition.next_offset\n",
                "name: await self._client.position(name)\n",
            ),
            Change(CONSUMER, "COMMIT_INTERVAL_S = 5.0", "COMMIT_INTERVAL_S = 0.02"),
            Change(
                f"{WORKER}partition.py",
                "if position.next_offset == self.next_offset:",
                "if position.next_offset <= self.next_offset:",
            ),
            Change(
                f"{WORKER}decide/transaction_runner.py",
                "            few = len(transactions) == 1",
                "            await asyncio.sleep(0.1)\n            few = len(transactions) == 1",
            ),
        ),
        ("kill-workers", "latency"),
    ),
    Defect(
        "no-fence",
        "A worker that was frozen and replaced decides commands again.",
        ("I1", "I5"),
        (
            Change(
                f"{WORKER}partition.py",
                "if position.next_offset == self.next_offset:",
                "if True:",
            ),
            Change(
                f"{WORKER}decide/decision_batch.py",
                "(command_id in seen or command_id in decided_before)",
                "command_id in seen",
            ),
            Change(f"{WORKER}store/queries.sql", DECISIONS, f"{DECISIONS[:-2]} ON CONFLICT DO NOTHING\n)"),
        ),
        ("freeze-worker",),
    ),
    Defect(
        "remembered-too-long",
        "A worker that gets a partition back decides by outdated data about its doctors.",
        ("I5",),
        (
            Change(
                f"{WORKER}main.py",
                "            owned = OwnedPartition(\n",
                "            owned = own.__dict__.get(str(partition))\n"
                "            if owned is not None:\n"
                "                owned.publisher, owned._publishing = publisher, None\n"
                "                return owned\n"
                "            own.__dict__[str(partition)] = owned = OwnedPartition(\n",
            ),
            Change(
                f"{WORKER}partition.py",
                "        self.doctors.clear()\n        self.next_offset",
                "        self.next_offset",
            ),
        ),
        ("freeze-worker",),
        25.0,
    ),
    Defect(
        "decided-twice",
        "A command that is on the log twice takes effect twice.",
        ("I1", "I3", "I5"),
        (
            Change(
                f"{WORKER}decide/decision_batch.py",
                "(command_id in seen or command_id in decided_before)",
                "False",
            ),
            Change(f"{WORKER}store/queries.sql", DECISIONS, f"{DECISIONS[:-2]} ON CONFLICT DO NOTHING\n)"),
        ),
    ),
    Defect(
        "published-before-commit",
        "Clients and consumers are told of decisions that are rolled back.",
        ("I1", "I5", "I6", "I7"),
        (
            Change(
                f"{WORKER}decide/transaction_runner.py",
                "                    await store.write(connection,",
                "                    self._committed(todo, batch)\n"
                "                    await asyncio.sleep(0.05)\n"
                "                    await store.write(connection,",
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
                f"{WORKER}decide/transaction_runner.py",
                "                            owned.publisher.published_count,\n",
                "                            batch.event_counts[owned.number],\n",
            ),
            Change(
                f"{WORKER}publish/events.py",
                "                await self._send(events)\n",
                "                await asyncio.sleep(0.1)\n                await self._send(events)\n",
            ),
            # And nobody notices that the topic has fewer.
            Change(
                f"{WORKER}recovery/published_events.py",
                "        return position.published_count <= await self.count(number, position, 0)\n",
                "        return True\n",
            ),
            Change(
                f"{WORKER}recovery/catch_up.py",
                "                if last < position.published_count:\n",
                "                if False:\n",
            ),
        ),
        ("kill-workers", "latency"),
        20.0,
    ),
    Defect(
        "events-out-of-order",
        "Consumers see a change before the event that it changes.",
        ("I5",),
        (Change(f"{WORKER}publish/events.py", "for event in events:\n", "for event in reversed(events):\n"),),
        ("kill-workers", "latency"),
    ),
    Defect(
        "systems-fault-is-poison",
        "While a migration or a revoked grant stops every command, valid ones become dead letters.",
        ("I1", "I9"),
        (Change(f"{WORKER}decide/transaction_runner.py", "if is_systems_fault(error):", "if False:"),),
        ("add-column",),
    ),
    Defect(
        "a-bug-stops-everything",
        "One command that the worker cannot handle blocks all commands behind it.",
        ("I1",),
        (Change(f"{WORKER}decide/transaction_runner.py", "if tries < TRIES_MAX:", "if True:"),),
        ("handler-bug",),
    ),
    Defect(
        "dead-letter-swallowed",
        "Commands that cannot be decided disappear.",
        ("I9",),
        (
            Change(
                f"{WORKER}decide/transaction_runner.py",
                "                    await self._dead_letters.publish(batch.dead_letters)\n",
                "",
            ),
        ),
        ("poison",),
    ),
    Defect(
        "dead-letter-without-reason",
        "An operator cannot see what was wrong with a dead letter.",
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
)
