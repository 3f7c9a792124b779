"""`clinic pause`, `clinic resume` and `clinic skip`: orders to a consumer."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, DataDir


class ConsumerName(StrEnum):
    """The consumers, by what they read: commands, events, security events, events, login challenges."""

    WORKER = "worker"
    AUDITOR = "auditor"
    AUDITOR_SECURITY = "auditor-security"
    NOTIFIER = "notifier"
    NOTIFIER_CODES = "notifier-codes"


OfConsumer = Annotated[ConsumerName, typer.Option("--consumer", help="who the order is for")]
OnePartition = Annotated[
    int | None, typer.Option("--partition", metavar="N", help="this partition; all if not given", min=0)
]
Why = Annotated[str, typer.Option("--why", help="the reason, without names: it is kept for good")]


def pause(
    consumer: OfConsumer = ConsumerName.WORKER,
    partition: OnePartition = None,
    why: Why = "",
    data: DataDir = DATA_DIR,
) -> None:
    """Let a consumer stand still until `clinic resume`, also when it is started again. Idempotent."""
    from infra.settings import Settings
    from ops.orders import pause as give

    paused = asyncio.run(give(Settings.load(data), consumer, partition, why or None))
    print(f"{consumer}: " + (f"paused partitions {_listed(paused)}" if paused else "was paused already"))


def resume(
    consumer: OfConsumer = ConsumerName.WORKER, partition: OnePartition = None, data: DataDir = DATA_DIR
) -> None:
    """Let a paused consumer go on. Idempotent."""
    from infra.settings import Settings
    from ops.orders import resume as give

    resumed = asyncio.run(give(Settings.load(data), consumer, partition))
    print(f"{consumer}: " + (f"resumed partitions {_listed(resumed)}" if resumed else "was not paused"))


def skip(
    partition: Annotated[int, typer.Argument(metavar="PARTITION", min=0)],
    offset: Annotated[int, typer.Argument(metavar="OFFSET", min=0)],
    why: Why,
    consumer: OfConsumer = ConsumerName.WORKER,
    data: DataDir = DATA_DIR,
) -> None:
    """Let a consumer go on behind a record without processing it. The worker sets the command aside as
    failed; of the others, the audit trail records the gap."""
    from infra.settings import Settings
    from ops.orders import skip as give

    if not why.strip():
        raise typer.BadParameter("Give a reason.", param_hint="--why")
    order = asyncio.run(give(Settings.load(data), consumer, partition, offset, why))
    print(f"{consumer}: skips offset {offset} of partition {partition} (order {order})")


def _listed(partitions: list[int]) -> str:
    return ", ".join(map(str, partitions))
