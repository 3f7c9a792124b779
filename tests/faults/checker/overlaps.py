"""No two booked appointments of a doctor overlap, buffers included, nor of a patient, at any time (I2)."""

from collections.abc import Iterator

from tests.faults.checker.records import Finding
from tests.faults.checker.timelines import Taken
from tests.faults.checker.world import World


def check_overlaps(world: World) -> list[Finding]:
    """Of two times that overlap, one was given back before the other was taken, or can have been."""
    taken = list(world.appointments.all_taken())
    rank = {one: number for number, one in enumerate(taken)}
    found: list[str] = []
    for one in taken:
        state = one.state
        with_doctor = _later(world.appointments.with_doctor(state.doctor, state.occupied), one, rank)
        of_patient = _later(world.appointments.of_patient(state.patient, state.visit), one, rank)
        for whose, others in (
            (f"doctor {state.doctor}", with_doctor),
            (f"patient {state.patient}", of_patient),
        ):
            found += [f"{whose}: {_both(one, other)}" for other in others if _at_once(world, one, other)]
    return [Finding("I2", text) for text in found]


def _later(others: Iterator[Taken], one: Taken, rank: dict[Taken, int]) -> Iterator[Taken]:
    return (other for other in others if other.id != one.id and rank[other] > rank[one])


def _at_once(world: World, one: Taken, other: Taken) -> bool:
    return not (_ended_first(world, one, other) or _ended_first(world, other, one))


def _ended_first(world: World, one: Taken, other: Taken) -> bool:
    return one.until is not None and not world.order.before(other.since, one.until)


def _both(one: Taken, other: Taken) -> str:
    texts = [
        f"appointment {taken.id} version {taken.state.version} has {taken.state.occupied[0].isoformat()} to "
        f"{taken.state.occupied[1].isoformat()} since {taken.since} until {taken.until}"
        for taken in (one, other)
    ]
    return " and at once ".join(texts)
