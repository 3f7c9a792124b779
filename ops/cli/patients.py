"""`clinic patients`: what is done for all patients at once."""

from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, DataDir, command_group

patients = command_group()


@patients.command()
def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
    data: DataDir = DATA_DIR,
) -> None:
    """Forget patients who were not seen for CLINIC_PATIENT_RETENTION_YEARS. The ingress does so every day."""
    import asyncio

    from infra.settings import Settings
    from ops.connections import quiet
    from ops.patients import retain as forget

    quiet()
    count = asyncio.run(forget(Settings.load(data), dry_run=dry_run))
    print(f"{count} patients {'would be' if dry_run else 'were'} forgotten")
