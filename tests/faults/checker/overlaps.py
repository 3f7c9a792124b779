"""No two booked appointments of a doctor overlap, buffers included, nor of a patient, at any time (I2)."""

from collections.abc import Iterator

from tests.faults.checker.records import Finding
from tests.faults.checker.timelines import Taken
from tests.faults.checker.world import World


def check_overlaps(world: World) -> list[Finding]:
    """Two overlapping times are allowed if one was, or may have been, freed before the other was taken."""
    taken = list(world.appointments.all_taken())
    rank = {first: number for number, first in enumerate(taken)}
    found: list[str] = []
    for first in taken:
        state = first.state
        with_doctor = _later(world.appointments.with_doctor(state.doctor, state.occupied), first, rank)
        of_patient = _later(world.appointments.of_patient(state.patient, state.visit), first, rank)
        for whose, others in (
            (f"doctor {state.doctor}", with_doctor),
            (f"patient {state.patient}", of_patient),
        ):
            found += [f"{whose}: {_both(first, other)}" for other in others if _at_once(world, first, other)]
    return [Finding("I2", text) for text in found]


def _later(others: Iterator[Taken], first: Taken, rank: dict[Taken, int]) -> Iterator[Taken]:
    return (other for other in others if other.id != first.id and rank[other] > rank[first])


def _at_once(world: World, first: Taken, second: Taken) -> bool:
    return not (_ended_first(world, first, second) or _ended_first(world, second, first))


def _ended_first(world: World, first: Taken, second: Taken) -> bool:
    return first.until is not None and not world.order.before(second.since, first.until)


def _both(first: Taken, second: Taken) -> str:
    texts = [
        f"appointment {taken.id} version {taken.state.version} has {taken.state.occupied[0].isoformat()} to "
        f"{taken.state.occupied[1].isoformat()} since {taken.since} until {taken.until}"
        for taken in (first, second)
    ]
    return " and at once ".join(texts)
