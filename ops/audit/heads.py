"""Signed heads to keep elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from auditor.heads import latest_heads, sign_what_is_new
from auditor.signing import Signer, TrustedKeys, load_public_key
from contracts.audit import HeadFile
from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.audit.connection import trail


async def signed_now(settings: Settings, key_files: Sequence[Path] = ()) -> HeadFile:
    """A head of every chain as it is now; ends that one of the other keys signed are taken over.

    Raises:
        EndError: no trusted key signed the end of a chain.
        ClinicError: Postgres or the audit key is away.
    """
    signer, keys = Signer.load(settings.audit_key_file), trusted_keys(settings, key_files)
    async with trail(settings) as pool:
        await sign_what_is_new(pool, signer, keys)
        return HeadFile(heads=tuple(await latest_heads(pool)))


def read_head_file(path: Path) -> HeadFile:
    """What `clinic audit head` printed.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        return HeadFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MisconfiguredError(f"{path} does not hold what `clinic audit head` prints.") from None


def trusted_keys(settings: Settings, key_files: Sequence[Path]) -> TrustedKeys:
    """The audit key of today, and those of before.

    Raises:
        MisconfiguredError: a file is missing or holds something else.
    """
    return TrustedKeys(load_public_key(path) for path in (settings.audit_key_file, *key_files))
