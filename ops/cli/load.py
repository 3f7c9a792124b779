"""`clinic load`: load tests with a report."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir
from ops.load.profiles import PROFILES, LoadKind


def load(
    kind: LoadKind,
    rate: Annotated[float | None, typer.Option(metavar="N", help="requests a second", min=0.1)] = None,
    seconds: Annotated[float | None, typer.Option(metavar="N", help="of each step", min=1)] = None,
    doctors: Annotated[int | None, typer.Option(metavar="N", help="of the test", min=1, max=200)] = None,
    patients: Annotated[int | None, typer.Option(metavar="N", help="the same every time", min=1)] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="of a clinic elsewhere")] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="its signing key: each patient has a token")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a token of staff, who act for the patients")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="default: in DIR/load/")] = None,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Load a running clinic, check the service levels, and write a report with charts.

    smoke: 10 requests a second for 10 s. load: 50 a second for 5 minutes, a large clinic's. stress: from 50 a
    second up until a service level breaks; says where, and why.

    Exit status 1 if a service level is missed; of stress, at its first rate. Not for a clinic in use: it
    makes doctors of its own, who are inactive afterwards, and patients at example.com.
    """
    from infra.settings import Settings
    from ops.load import check_installed

    check_installed()
    from ops.load.command import load_test
    from ops.load.tokens import TokenSource

    if key_file and token_file:
        raise typer.BadParameter("either a key or a token", param_hint="--token-file")
    if url and not (key_file or token_file):
        raise typer.BadParameter("needs --key-file or --token-file", param_hint="--url")
    if url and not _is_address(url):
        raise typer.BadParameter("an address, such as https://clinic.example.org", param_hint="--url")
    settings = Settings.load(data)
    if url:
        settings = settings.model_copy(update={"url": url.rstrip("/")})
    source = (
        TokenSource(token_file=str(token_file))
        if token_file
        else TokenSource(key_file=str(key_file or settings.signing_key_file))
    )
    usual = PROFILES[kind]
    profile = replace(
        usual,
        per_s=rate or usual.per_s,
        seconds=seconds or usual.seconds,
        doctors=doctors or usual.doctors,
        patients=patients or usual.patients,
    )
    raise typer.Exit(0 if load_test(settings, data, source, profile, report, as_json) else 1)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port out of range
        return False
