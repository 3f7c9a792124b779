"""`clinic audit`: verify, export, sign and prune the audit trail."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir, command_group

audit = command_group()

ChainName = Literal["booking", "security"]
Chain = Annotated[ChainName | None, typer.Option("--chain", help="only this chain")]
# `contracts.audit` has the same, but takes time to import.
PARTITION_MAX = 2**15 - 1
NUMBER_MAX = 2**63 - 1
Partition = Annotated[
    int | None,
    typer.Option("--partition", metavar="N", help="only this partition", min=0, max=PARTITION_MAX),
]
Heads = Annotated[
    list[Path] | None,
    typer.Option("--head", metavar="FILE", help="earlier output of `clinic audit head`; may be repeated"),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="an earlier public key (PEM); may be repeated"),
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
    """Verify every hash, column, head and stub. Exit status 1 if anything was altered.

    With --head, also verify that the trail is an extension of that earlier one.
    """
    from infra.settings import Settings
    from ops.audit.verify import Asked
    from ops.audit.verify import verify as check

    asked = Asked(chain, partition, head or (), key or ())
    raise typer.Exit(0 if check(Settings.load(data), asked, as_json) else 1)


@audit.command("head")
def sign_head(key: Keys = None, data: DataDir = DATA_DIR) -> None:
    """Print a signed head of every chain, to be kept elsewhere.

    After a change of the audit key, run it once with --key and the earlier public key: heads signed by the
    earlier key are then signed with the new one.
    """
    import asyncio

    from infra.settings import Settings
    from ops.audit.heads import signed_now

    print(asyncio.run(signed_now(Settings.load(data), key or ())).model_dump_json(indent=2))


@audit.command()
def export(
    chain: Chain = None,
    partition: Partition = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="CURSOR|FILE|NUMBER",
            help="continue after this: the cursor of an earlier export; or its file, even if cut off, also "
            "the one that --out names; or, with --chain and --partition, an entry's number",
        ),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="compress the output")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write to this file")] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Print the trail as NDJSON, and on stderr the cursor to continue from."""
    import asyncio
    import contextlib
    import sys

    from infra.settings import Settings
    from ops.audit.export import CursorError, ExportScope, opened
    from ops.audit.export import export as write

    try:
        wanted = ExportScope.read(chain, partition, since)
        target = opened(out, since, compress=gzip) if out else contextlib.nullcontext(sys.stdout.buffer)
    except CursorError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    with target as file:
        cursor = asyncio.run(write(Settings.load(data), wanted, file, compress=gzip))
    print(f"cursor: {cursor}", file=sys.stderr)


@audit.command()
def prove(
    chain: Annotated[ChainName | None, typer.Argument()] = None,
    partition: Annotated[int | None, typer.Argument(min=0, max=PARTITION_MAX)] = None,
    number: Annotated[int | None, typer.Argument(min=1, max=NUMBER_MAX)] = None,
    earlier: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="earlier output of `clinic audit head`")
    ] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Print the proof that the latest signed head covers an entry.

    With --from instead: the proof that the trail is an extension of earlier heads.
    """
    import asyncio

    from contracts.audit import Chain
    from infra.settings import Settings
    from ops.audit import proofs
    from ops.audit.heads import read_head_file

    settings = Settings.load(data)
    if earlier and chain is None:
        growth = proofs.prove_growth(settings, read_head_file(earlier))
        print(asyncio.run(growth).model_dump_json(indent=2))
    elif chain and partition is not None and number and not earlier:
        entry = proofs.prove(settings, Chain(chain), partition, number)
        print(asyncio.run(entry).model_dump_json(indent=2))
    else:
        raise typer.BadParameter("either CHAIN PARTITION NUMBER or --from")


@audit.command()
def check(
    file: Annotated[Path, typer.Argument(help="output of `clinic audit prove`")],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help="the public audit key (PEM); may be repeated"),
    ] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Check a proof without the database. Exit status 1 if it is not valid."""
    from auditor.chain.signing import TrustedKeys, load_public_key
    from infra.settings import Settings
    from ops.audit import proofs

    keys = TrustedKeys(map(load_public_key, key or [Settings.load(data).audit_key_file]))
    print(*proofs.check(file, keys), sep="\n")


@audit.command()
def retain(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Delete months past retention; their hashes stay. The auditor does so every day."""
    import asyncio

    from infra.settings import Settings
    from ops.audit.retain import retain as drop

    asyncio.run(drop(Settings.load(data), as_json))
