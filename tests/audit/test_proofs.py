"""Proofs, verified with the public audit key alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auditor.chain.signing import TrustedKeys
from contracts.audit import Chain, HeadFile, InclusionProof, canonical
from infra.errors import MisconfiguredError
from infra.signing_keys import load_signing_key
from ops.audit.heads import read_head_file, signed_now
from ops.audit.proofs import NoProofError, check, prove, prove_growth
from tests.audit.tampering import FAKE, audit_key, contents, rewrite_from, set_end, set_head
from tests.audit.trail import Trail, run
from tests.ops.conftest import clinic_command

ENTRIES = 50


@pytest.fixture
def key(kept: Trail, tmp_path: Path) -> Path:
    """The public half of the audit key."""
    file = tmp_path / "public.pem"
    public = load_signing_key(kept.settings.audit_key_file).public_key()
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def checked(trail: Trail, file: Path, key: Path) -> str:
    """The output of `clinic audit check` without a database and without the private key."""
    nowhere = {"postgres_dsn_auditor": "postgresql://a:b@127.0.0.1:1/clinic", "audit_key_file": "nowhere.pem"}
    settings = trail.settings.model_copy(update=nowhere)
    done = clinic_command(settings, "audit", "check", str(file), "--key", str(key))
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_an_entry_is_proven_with_the_public_key(kept: Trail, tmp_path: Path, key: Path) -> None:
    run(kept, "head")
    file = tmp_path / "proof.json"
    file.write_text(run(kept, "prove", "booking", "0", "17")[0])

    proof = InclusionProof.model_validate_json(file.read_text())
    assert (proof.number, proof.head.size) == (17, ENTRIES)
    assert canonical(proof.content).decode() == (await contents(kept))[16]
    assert checked(kept, file, key).startswith(f"Entry 17 of the {ENTRIES} entries of booking/0")
    _, said = run(kept, "prove", "booking", "0", "51", status=1)
    assert said == "No head of booking/0 covers entry 51."


async def test_the_growth_since_an_earlier_head_is_proven(kept: Trail, tmp_path: Path, key: Path) -> None:
    heads = await kept.keep_head(tmp_path / "heads.json")
    await kept.happen(30, first=ENTRIES + 1)
    async with kept.auditor(audit_head_entries=20):
        await kept.keeps(ENTRIES + 30)
    file = tmp_path / "proof.json"
    file.write_text(run(kept, "prove", "--from", str(heads))[0])

    said = checked(kept, file, key)

    assert said.startswith(f"The first {ENTRIES} of the 80 entries of booking/0")
    assert said.endswith("as before.\n")


@pytest.mark.parametrize("number", [17, 1, ENTRIES])
async def test_an_edited_entry_has_no_proof(kept: Trail, number: int) -> None:
    await signed_now(kept.settings)
    await kept.tamper(f"UPDATE audit.entries SET content = replace(content, '{FAKE[0]}', '{FAKE[1]}')")

    with pytest.raises(NoProofError, match=f"Entry {number} of booking/0 is not what its hash covers"):
        await prove(kept.settings, Chain.BOOKING, 0, number)


async def test_nor_has_one_whose_hash_was_recomputed(kept: Trail) -> None:
    await signed_now(kept.settings)
    await rewrite_from(kept, 17, entries=1)

    with pytest.raises(NoProofError, match="are not those of their head"):
        await prove(kept.settings, Chain.BOOKING, 0, 17)


async def test_nor_has_the_growth_of_a_rewritten_trail(kept: Trail, tmp_path: Path) -> None:
    heads = read_head_file(await kept.keep_head(tmp_path / "heads.json"))
    await rewrite_from(kept, 1, entries=ENTRIES)

    with pytest.raises(NoProofError, match="are not those of their head"):
        await prove_growth(kept.settings, heads)

    await set_end(kept, audit_key(kept))
    await set_head(kept, audit_key(kept))
    with pytest.raises(NoProofError, match="does not begin with the 50 entries"):
        await prove_growth(kept.settings, heads)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"number": 18}, "does not prove"),
        ({"previous_hash": "00" * 32}, "does not prove"),
        ({"content": {"action": "PatientRead"}}, "does not prove"),
        ({"path": []}, "does not prove"),
    ],
)
async def test_a_changed_proof_is_rejected(
    kept: Trail, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    await signed_now(kept.settings)
    proof = await prove(kept.settings, Chain.BOOKING, 0, 17)
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(json.loads(proof.model_dump_json()) | change))

    with pytest.raises(NoProofError, match=said):
        check(file, audit_key(kept).public())


async def test_so_is_a_proof_under_an_untrusted_head(kept: Trail, tmp_path: Path) -> None:
    await signed_now(kept.settings)
    entry, growth = tmp_path / "entry.json", tmp_path / "growth.json"
    proof = await prove(kept.settings, Chain.BOOKING, 0, 17)
    entry.write_text(proof.model_dump_json())
    growth.write_text((await prove_growth(kept.settings, HeadFile(heads=(proof.head,)))).model_dump_json())
    other = Ed25519PrivateKey.generate().public_key()

    for file in (entry, growth):
        assert len(check(file, audit_key(kept).public())) == 1
        with pytest.raises(NoProofError, match="No trusted key signed"):
            check(file, TrustedKeys([other.public_bytes_raw()]))


def test_an_invalid_proof_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"proofs": 1}')

    for path in (file, tmp_path / "nowhere.json"):
        with pytest.raises(MisconfiguredError, match="does not hold what `clinic audit prove` prints"):
            check(path, TrustedKeys([]))
