"""What somebody does who can write the whole database, with the audit key or without."""

from auditor.chain import ChainEnd
from auditor.signing import Signer
from contracts.audit import Chain
from infra import clock
from tests.audit.trail import Trail

FAKE = '"visit_type":"checkup"', '"visit_type":"surgery"'


def audit_key(trail: Trail) -> Signer:
    """The true key: whoever holds it can make an end that fits, as can whoever kept one of earlier."""
    return Signer.load(trail.settings.audit_key_file)


async def contents(trail: Trail) -> list[str]:
    """What the entries say, in order."""
    return [
        row["content"]
        for row in await trail.postgres.fetch("SELECT content FROM audit.entries ORDER BY number")
    ]


async def end_of(trail: Trail) -> ChainEnd:
    """The chain's end, made again from its contents."""
    end = ChainEnd.empty(Chain.BOOKING, 0)
    for content in await contents(trail):
        end.append(content.encode())
    return end


async def rewrite_from(trail: Trail, first: int, *, entries: int) -> None:
    """Another truth from entry `first` on, with so many entries' hashes made again."""
    end = ChainEnd.empty(Chain.BOOKING, 0)
    statements = []
    for number, content in enumerate(await contents(trail), 1):
        told = content.replace(*FAKE) if number >= first else content
        hash_ = end.append(told.encode())
        if first <= number < first + entries:
            statements.append(
                f"UPDATE audit.entries SET content = '{told}', hash = '\\x{hash_.hex()}' "
                f"WHERE number = {number}"
            )
    await trail.tamper(*statements)


async def add_entry(trail: Trail, number: int) -> None:
    """Another entry behind the last, chained as it should be; the auditor's position goes along."""
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
    """Let the auditor stand behind this event."""
    await trail.tamper(
        f"UPDATE audit.progress SET last_sequence = {sequence} "
        "WHERE topic LIKE '%booking.events%' AND partition = 0"
    )


async def set_end(trail: Trail, signer: Signer | None = None) -> None:
    """Let the chain end where its entries do; without a signer, under the signature of before."""
    end = await end_of(trail)
    head = (signer or audit_key(trail)).head(end, clock.now())
    signature = f", key_id = '{head.key_id}', signature = '\\x{head.signature}'" if signer else ""
    await trail.tamper(
        f"UPDATE audit.chains SET size = {end.size}, last_hash = '\\x{head.last_hash}', "
        f"root = '\\x{head.root}', frontier = '\\x{end.tree.frontier().hex()}', "
        f"signed_at = '{head.signed_at}'{signature}"
    )


async def set_head(trail: Trail, signer: Signer) -> None:
    """One head of all entries, and none besides."""
    head = signer.head(await end_of(trail), clock.now())
    await trail.tamper(
        "DELETE FROM audit.heads",
        "INSERT INTO audit.heads VALUES "
        f"('booking', 0, {head.size}, '\\x{head.root}', '\\x{head.last_hash}', '{head.signed_at}', "
        f"'{head.key_id}', '\\x{head.signature}')",
    )


async def cut_off(trail: Trail, size: int) -> None:
    """Everything behind entry `size`, and whatever tells that there was more."""
    await trail.tamper(
        f"DELETE FROM audit.entries WHERE number > {size}",
        f"DELETE FROM audit.heads WHERE size > {size}",
    )
    await set_position(trail, size)
    if size:
        await set_end(trail, audit_key(trail))
    else:
        await trail.tamper("DELETE FROM audit.chains")
