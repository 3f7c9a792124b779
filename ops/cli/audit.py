"""`clinic audit`: the trail, checked and taken elsewhere."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

ChainName = Literal["booking", "security"]
Chain = Annotated[ChainName | None, typer.Option("--chain", help="this chain only")]
Partition = Annotated[int | None, typer.Option("--partition", metavar="N", help="this partition only", min=0)]
Heads = Annotated[
    list[Path] | None,
    typer.Option("--head", metavar="FILE", help="what `clinic audit head` printed earlier; may be repeated"),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="a public key (PEM) that signed earlier; may be repeated"),
]


@audit.command()
def verify(
    chain: Chain = None,
    partition: Partition = None,
    head: Heads = None,
    key: Keys = None,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Check every hash, column, head and stub; status 1 if something does not fit.

    With --head: also that the trail still begins with what it was then.
    """
    from infra.settings import Settings
    from ops.audit.verifying import Asked
    from ops.audit.verifying import verify as check

    asked = Asked(chain, partition, head or (), key or ())
    raise typer.Exit(0 if check(Settings.load(data), asked, as_json) else 1)


@audit.command("head")
def sign_head(data: DataDir = DATA_DIR) -> None:
    """Print a signed head of every chain, to keep elsewhere."""
    import asyncio

    from infra.settings import Settings
    from ops.audit.heads import signed_now

    print(asyncio.run(signed_now(Settings.load(data))).model_dump_json(indent=2))


@audit.command()
def export(
    chain: Chain = None,
    partition: Partition = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="CURSOR|FILE|NUMBER",
            help="go on after this: the cursor that an export ended with; or an earlier export, cut off or "
            "not; or, with --chain and --partition, an entry's number",
        ),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="compress")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write there, not to stdout")] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Print the trail as NDJSON, and on stderr the cursor to go on from."""
    import asyncio
    import contextlib
    import sys

    from infra.settings import Settings
    from ops.audit.export import CursorError, Wanted
    from ops.audit.export import export as write

    try:
        wanted = Wanted.read(chain, partition, since)
    except CursorError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    with out.open("wb") if out else contextlib.nullcontext(sys.stdout.buffer) as file:
        cursor = asyncio.run(write(Settings.load(data), wanted, file, compress=gzip))
    print(f"cursor: {cursor}", file=sys.stderr)


@audit.command()
def prove(
    chain: ChainName,
    partition: Annotated[int, typer.Argument(min=0)],
    number: Annotated[int, typer.Argument(min=1)],
    data: DataDir = DATA_DIR,
) -> None:
    """Print the proof that an entry is in the tree of the latest signed head."""
    import asyncio

    from contracts.audit import Chain
    from infra.settings import Settings
    from ops.audit.heads import prove as proof

    print(asyncio.run(proof(Settings.load(data), Chain(chain), partition, number)).model_dump_json(indent=2))


@audit.command()
def retain(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Drop the months that are older than the retention; their hashes stay. The auditor does so daily."""
    import asyncio

    from infra.settings import Settings
    from ops.audit.retaining import retain as drop

    asyncio.run(drop(Settings.load(data), as_json))
