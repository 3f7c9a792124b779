"""`clinic audit retain`."""

import json

from rich.console import Console
from rich.table import Table

from auditor.retention import retain as drop
from auditor.signing import Signer
from infra.settings import Settings
from ops.audit.connection import trail


async def retain(settings: Settings, as_json: bool) -> None:
    """Drop what is older than the settings say, and print the months.

    Raises:
        RetentionError: one of them does not verify, and stays.
        ClinicError: Postgres or the audit key is away.
    """
    signer = Signer.load(settings.audit_key_file)
    async with trail(settings) as pool:
        dropped = await drop(pool, signer, settings.audit_retention_years)
    if as_json:
        print(json.dumps([{"month": f"{one.month:%Y-%m}", "entries": one.entries} for one in dropped]))
        return
    table = Table("dropped month", "entries", box=None, pad_edge=False)
    for one in dropped:
        table.add_row(f"{one.month:%Y-%m}", f"{one.entries:,}")
    Console().print(table)
