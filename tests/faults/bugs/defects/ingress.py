"""Defects of the ingress: writes, statuses and reads."""

from tests.faults.bugs.defect import Change, Defect

INGRESS = "ingress/"

DEFECTS = (
    Defect(
        "key-ignored",
        "A repeated request books again.",
        ("I3",),
        (
            Change(
                f"{INGRESS}commands/submit.py",
                'f"{caller.kind}:{caller.id}:{key}"',
                "f\"{caller.kind}:{caller.id}:{__import__('uuid').uuid4()}\"",
            ),
        ),
    ),
    Defect(
        "no-fingerprint",
        "A key that was used for another request returns that request's outcome.",
        ("I3",),
        (
            Change(
                f"{INGRESS}commands/submit.py",
                "        if not receipt.is_same_request(known.fingerprint):",
                "        if False:",
            ),
            Change(
                f"{INGRESS}commands/state.py",
                "not receipt.is_same_request(decision.fingerprint)",
                "False",
            ),
        ),
    ),
    Defect(
        "status-remembered",
        "A client that asks too early sees `pending` for ever.",
        ("I1", "I7"),
        (
            Change(
                f"{INGRESS}commands/decisions.py",
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
        "A slot is offered that was booked long ago.",
        ("I6",),
        (
            Change(
                f"{INGRESS}availability/cache.py",
                "known.calendar_version == version and ",
                "",
            ),
        ),
    ),
    Defect(
        "anothers-appointment",
        "A patient sees another patient's visit.",
        ("I6",),
        (Change(f"{INGRESS}booking/reads.py", 'row["patient_id"] != caller.id:', "False:"),),
    ),
    Defect(
        "page-again",
        "A list shows the same appointment on two pages.",
        ("I6",),
        (
            Change(
                f"{INGRESS}booking/reads.py",
                '"(starts_at, id) > ({}, {})"',
                '"(starts_at, id) >= ({}, {})"',
            ),
        ),
    ),
    Defect(
        "tag-of-the-question",
        "A client with a cached answer is told that nothing has changed.",
        ("I6",),
        (
            Change(
                f"{INGRESS}availability/cache.py",
                "hashlib.sha256(body).hexdigest()[:32]",
                "hashlib.sha256(str(query).encode()).hexdigest()[:32]",
            ),
        ),
    ),
)
