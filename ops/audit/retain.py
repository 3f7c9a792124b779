"""`clinic audit retain`."""

import json

from auditor.chain.signing import Signer
from auditor.retention import retain as drop
from infra.settings import Settings
from ops.connections import database
from ops.console import console, table


async def retain(settings: Settings, as_json: bool) -> None:
    """Drop the months past retention, and print them.

    Raises:
        RetentionError: a month does not verify and is kept.
        ClinicError: Postgres or the audit key is unavailable.
    """
    signer = Signer.load(settings.audit_key_file)
    async with database(settings.auditor_dsn, "clinic-audit") as pool:
        dropped = await drop(pool, signer, settings.audit_retention_years)
    if as_json:
        print(json.dumps([{"month": f"{month:%Y-%m}", "entries": entries} for month, entries in dropped]))
        return
    rows = table("dropped month", "entries")
    for month, entries in dropped:
        rows.add_row(f"{month:%Y-%m}", f"{entries:,}")
    console().print(rows)
