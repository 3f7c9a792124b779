"""Folds the partitions in as many processes as there are processors."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from aiokafka import TopicPartition

from contracts.topics import EVENTS_TOPIC
from infra.errors import TransientError
from infra.kafka.connection import topic_name
from infra.settings import Settings
from ops.connections import log_reader
from ops.rebuild.fold_partition import FoldedPartition, begin, fold_partition
from storage.positions import Position

WATCH_INTERVAL_S = 0.2

Watch = Callable[[int, int], None]


async def fold_partitions(
    settings: Settings, positions: list[Position], watch: Watch | None
) -> list[FoldedPartition]:
    """Fold all events into the fresh tables. `watch` is told how many are folded, and how many there are.

    Raises:
        ClinicError: a server is unavailable, events are missing, or a process was killed.
    """
    total = await _on_topic(settings) if watch else 0
    context = multiprocessing.get_context("forkserver")  # a fork of this one would have its connections
    context.set_forkserver_preload([fold_partition.__module__])
    progress = context.Array("q", EVENTS_TOPIC.partitions, lock=False)  # each has one that writes it
    with ProcessPoolExecutor(mp_context=context, initializer=begin, initargs=(progress,)) as executor:
        loop = asyncio.get_running_loop()
        folding = asyncio.gather(
            *(loop.run_in_executor(executor, fold_partition, settings, each) for each in positions)
        )
        folding.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may ask
        try:
            while not folding.done():
                await asyncio.wait([folding], timeout=WATCH_INTERVAL_S)
                if watch:
                    watch(sum(progress), total)
            return folding.result()
        except BrokenProcessPool:
            raise TransientError("A process of the rebuild was killed: is there enough memory?") from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


async def _on_topic(settings: Settings) -> int:
    topic = topic_name(settings, EVENTS_TOPIC)
    names = [TopicPartition(topic, number) for number in range(EVENTS_TOPIC.partitions)]
    async with log_reader(settings, EVENTS_TOPIC) as reader:
        return sum((await reader.end_offsets(names)).values())
