"""What is on the topics when all is over.

Kept with the history, so that `python -m tests.faults.topics DIR` can check it again.
"""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS, Topic
from infra.settings import Settings
from tests.clinic import records
from tests.faults import checker
from tests.faults.checker import Finding, Record
from tests.faults.history import History
from tests.faults.poison import poison_in, without_garbage

HISTORY = "history.jsonl"
TOPICS = "topics.pickle"


@dataclass(frozen=True)
class Topics:
    """What is on the topics, partition after partition."""

    commands: list[Record]
    events: list[Record]
    dead_letters: list[Record]


async def read_topics(settings: Settings) -> Topics:
    """Everything that is committed, to the ends of now."""
    [commands, events, dead_letters] = [
        await _read(settings, topic) for topic in (COMMANDS, EVENTS, DEAD_LETTERS)
    ]
    return Topics(commands, events, dead_letters)


async def _read(settings: Settings, topic: Topic) -> list[Record]:
    return [
        Record(record.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
        for record in await records(settings, topic)
    ]


def keep(folder: Path, history: History, topics: Topics) -> None:
    """Write what the checker looks at."""
    history.save(folder / HISTORY)
    (folder / TOPICS).write_bytes(pickle.dumps(topics))


def check(history: History, topics: Topics) -> list[Finding]:
    """What the checker finds, told what was sent to be found bad and spared what was put on the topics."""
    return checker.check(
        history,
        without_garbage(topics.events),
        topics.commands,
        without_garbage(topics.dead_letters),
        poison=poison_in(topics.commands),
    )


def main() -> None:
    """Check again what a run with `--keep` has left in the folder."""
    folder = Path(sys.argv[1])
    topics = pickle.loads((folder / TOPICS).read_bytes())
    for finding in check(History.load(folder / HISTORY), topics):
        print(f"{finding.invariant}: {finding.text}")


if __name__ == "__main__":
    from tests.faults import topics as this  # under the name that was pickled

    this.main()
