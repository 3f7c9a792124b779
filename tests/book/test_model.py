"""For any steps in any order, the clinic answers by the rules and shows the resulting state.

The steps and their order are made by hypothesis, the same ones in every run. A failure prints the shortest
example that it finds, with every answer.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from contracts.refusals import Reason
from tests.book import steps
from tests.book.chance import Chance, two_doctors
from tests.book.reading import compare_reads
from tests.book.run import Run
from tests.book.steps import Scene, Step
from tests.clinic import Clinic

SCENES = steps.scenes()


@pytest.fixture(scope="module")
def given_answers() -> Counter[str]:
    """All answers in all examples, and their counts."""
    return Counter()


def steps_of(text: str) -> list[Step]:
    """A step is a character, and "0" is none: hypothesis generates better long texts than long lists, and
    shrinks them faster.
    """
    return [Chance(ord(character)).step() for character in text if character != "0"]


@given(
    scene=st.sampled_from(SCENES),
    openings=st.integers(0, 2**31).map(two_doctors),
    then=st.text(min_size=40, max_size=60).map(steps_of),
)
@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow],
)
async def test_the_clinic_answers_by_the_rules(
    shared: Clinic, given_answers: Counter[str], scene: Scene, openings: list[Step], then: list[Step]
) -> None:
    note(f"around {scene}")
    run = await Run.of(shared, scene)
    for step in [*openings, *then]:
        await run.take(step)
    await compare_reads(shared, run)
    given_answers.update(run.answers)


def test_and_gave_every_answer_there_is(given_answers: Counter[str]) -> None:
    if not given_answers:
        pytest.skip("after the other test")
    # Answers of the ingress itself.
    never = {Reason.UNKNOWN_APPOINTMENT, Reason.NOT_YOURS, Reason.IDEMPOTENCY_KEY_REUSED}
    never.add(Reason.CHANGED_MEANWHILE)  # no request here names the version that it is about
    assert {*Reason} - never | {"confirmed", "not_found"} == given_answers.keys(), given_answers
