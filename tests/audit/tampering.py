"""Tampering by somebody who can write the whole database, with the audit key or without."""

from auditor.chain.hash_chain import ChainEnd
from auditor.chain.signing import Signer
from contracts.audit import Chain
from infra import clock
from tests.audit.trail import Trail

FAKE = '"visit_type":"checkup"', '"visit_type":"surgery"'


def audit_key(trail: Trail) -> Signer:
    """The real audit key: with it, or with the one before, an end can be signed that verifies."""
    return Signer.load(trail.settings.audit_key_file)


async def contents(trail: Trail) -> list[str]:
    """The contents of the entries, in order."""
    return [
        row["content"]
        for row in await trail.postgres.fetch("SELECT content FROM audit.entries ORDER BY number")
    ]


async def end_of(trail: Trail) -> ChainEnd:
    """The chain's end, recomputed from the contents."""
    end = ChainEnd.empty(Chain.BOOKING, 0)
    for content in await contents(trail):
        end.append(content.encode())
    return end


async def rewrite_from(trail: Trail, first: int, *, entries: int) -> None:
    """Rewrite history from entry `first` on and recompute the hashes of so many entries."""
    end = ChainEnd.empty(Chain.BOOKING, 0)
    statements = []
    for number, content in enumerate(await contents(trail), 1):
        forged = content.replace(*FAKE) if number >= first else content
        hash_ = end.append(forged.encode())
        if first <= number < first + entries:
            statements.append(
                f"UPDATE audit.entries SET content = '{forged}', hash = '\\x{hash_.hex()}' "
                f"WHERE number = {number}"
            )
    await trail.tamper(*statements)


async def add_entry(trail: Trail, number: int) -> None:
    """Append another entry, correctly chained; the auditor's position moves with it."""
    end, (*_, last) = await end_of(trail), await contents(trail)
    hash_ = end.append(last.encode())
    await trail.tamper(
        f"""
        INSERT INTO audit.entries
        SELECT chain, partition, {number}, occurred_at, recorded_at, action, actor_kind, actor_id,
            doctor_id, appointment_id, patient_id, command_id, content, '\\x{hash_.hex()}'
        FROM audit.entries WHERE number = {number - 1}
        """,
    )
    await set_position(trail, number)


async def set_position(trail: Trail, sequence: int) -> None:
    """Move the auditor's position to after this event."""
    await trail.tamper(
        f"UPDATE audit.progress SET last_sequence = {sequence} "
        "WHERE topic LIKE '%booking.events%' AND partition = 0"
    )


async def set_end(trail: Trail, signer: Signer | None = None) -> None:
    """Move the chain's end to the last entry; without a signer, with the old signature."""
    end = await end_of(trail)
    head = (signer or audit_key(trail)).head(end, clock.now())
    signature = f", key_id = '{head.key_id}', signature = '\\x{head.signature}'" if signer else ""
    await trail.tamper(
        f"UPDATE audit.chains SET size = {end.size}, last_hash = '\\x{head.last_hash}', "
        f"root = '\\x{head.root}', frontier = '\\x{end.tree.frontier().hex()}', "
        f"signed_at = '{head.signed_at}'{signature}"
    )


async def set_head(trail: Trail, signer: Signer) -> None:
    """Leave a single head, over all entries."""
    head = signer.head(await end_of(trail), clock.now())
    await trail.tamper(
        "DELETE FROM audit.heads",
        "INSERT INTO audit.heads VALUES "
        f"('booking', 0, {head.size}, '\\x{head.root}', '\\x{head.last_hash}', '{head.signed_at}', "
        f"'{head.key_id}', '\\x{head.signature}')",
    )


async def cut_off(trail: Trail, size: int) -> None:
    """Delete everything after entry `size`, and every trace of it."""
    await trail.tamper(
        f"DELETE FROM audit.entries WHERE number > {size}",
        f"DELETE FROM audit.heads WHERE size > {size}",
    )
    await set_position(trail, size)
    if size:
        await set_end(trail, audit_key(trail))
    else:
        await trail.tamper("DELETE FROM audit.chains")
