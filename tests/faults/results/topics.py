"""The topics' records at the end of a run.

Kept with the history, so that `python -m tests.faults.results.topics DIR` can check them again.
"""

import pickle
import sys
from pathlib import Path

from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC, Topic
from infra.settings import Settings
from tests.clinic import records
from tests.faults import checker
from tests.faults.checker import Finding, Record
from tests.faults.faults.poison import poison_in, without_garbage
from tests.faults.results.archive import Topics
from tests.faults.workload.history import History

HISTORY = "history.jsonl"
TOPICS = "topics.pickle"


async def read_topics(settings: Settings) -> Topics:
    """All committed records up to the current ends."""
    [commands, events, dead_letters] = [
        await _read(settings, topic) for topic in (COMMANDS_TOPIC, EVENTS_TOPIC, DEAD_LETTERS_TOPIC)
    ]
    return Topics(commands, events, dead_letters)


async def _read(settings: Settings, topic: Topic) -> list[Record]:
    return [
        Record(record.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
        for record in await records(settings, topic)
    ]


def keep(folder: Path, history: History, topics: Topics) -> None:
    """Write the checker's input to the folder."""
    history.save(folder / HISTORY)
    (folder / TOPICS).write_bytes(pickle.dumps(topics))


def check(history: History, topics: Topics) -> list[Finding]:
    """The checker's findings, given the invalid commands that were sent, without the garbage."""
    return checker.check(
        history,
        without_garbage(topics.events),
        topics.commands,
        without_garbage(topics.dead_letters),
        poison=poison_in(topics.commands),
        followers=topics.followers,
    )


def main() -> None:
    """Check again the input that a run with `--keep` has left in the folder."""
    folder = Path(sys.argv[1])
    topics = pickle.loads((folder / TOPICS).read_bytes())
    for finding in check(History.load(folder / HISTORY), topics):
        print(f"{finding.invariant}: {finding.text}")


if __name__ == "__main__":
    from tests.faults.results import topics as this  # under the name that was pickled

    this.main()
