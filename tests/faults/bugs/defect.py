"""A seeded defect, and the copy of the source that has it."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.machine.source import compile_source, copy_source


class NoSuchTextError(Exception):
    """The source has changed, and the defect has to be adapted."""


@dataclass(frozen=True)
class Change:
    """The replacement of one text, found exactly once in a file (relative to the repository)."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Defect:
    """A mistake that a change could introduce.

    `matters` says what it would mean for the clinic; at least one of `invariants` has to be reported;
    `faults` are injected for `seconds`, because without them the defect may not show.
    """

    name: str
    matters: str
    invariants: tuple[str, ...]
    changes: tuple[Change, ...]
    faults: tuple[str, ...] = ("kill-worker",)
    seconds: float = 12.0


def copy_with(defect: Defect, folder: Path) -> None:
    """The product's source with the defect, compiled, in a new folder.

    Raises:
        NoSuchTextError: as `seed`.
    """
    copy_source(folder)
    seed(defect, folder)
    compile_source(folder)


def seed(defect: Defect, folder: Path) -> None:
    """Change a copy of the source.

    Raises:
        NoSuchTextError: a text to replace is not there exactly once, or is not at its indentation.
    """
    for change in defect.changes:
        path = folder / change.file
        text = path.read_text()
        if (count := text.count(change.find)) != 1:
            raise NoSuchTextError(f"{defect.name}: {change.file} has {count} x {change.find!r}")
        before = text[: text.index(change.find)].rpartition("\n")[2]
        if change.find.startswith("    ") and before:
            raise NoSuchTextError(f"{defect.name}: {change.file} has {change.find!r} further indented")
        path.write_text(text.replace(change.find, change.replace))
