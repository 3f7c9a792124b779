"""Signed heads to keep elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from auditor.chain.heads import sign_new_heads
from auditor.chain.signing import Signer, TrustedKeys, load_public_key
from contracts.audit import HeadFile
from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.connections import database
from storage.audit import latest_heads


async def signed_now(settings: Settings, key_files: Sequence[Path] = ()) -> HeadFile:
    """A head of every chain in its current state; ends that an earlier key signed are signed again.

    Raises:
        EndError: no trusted key signed the end of a chain.
        ClinicError: Postgres or the audit key is unavailable.
    """
    signer, keys = Signer.load(settings.audit_key_file), trusted_keys(settings, key_files)
    async with database(settings.auditor_dsn, "clinic-audit") as pool:
        await sign_new_heads(pool, signer, keys)
        return HeadFile(heads=tuple(await latest_heads(pool)))


def read_head_file(path: Path) -> HeadFile:
    """The output of `clinic audit head`.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        return HeadFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MisconfiguredError(f"{path} does not hold what `clinic audit head` prints.") from None


def trusted_keys(settings: Settings, key_files: Sequence[Path]) -> TrustedKeys:
    """The current audit key and earlier ones.

    Raises:
        MisconfiguredError: a file is missing or holds something else.
    """
    return TrustedKeys(load_public_key(path) for path in (settings.audit_key_file, *key_files))
