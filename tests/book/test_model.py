"""Whatever is asked, in whatever order, the clinic answers as the rules say; and then shows what they leave.

The steps and their order are made by hypothesis, the same ones in every run. A failure prints the shortest
that it finds, with every answer.
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
    """What was answered in all examples, and how often."""
    return Counter()


def steps_of(text: str) -> list[Step]:
    """A step is a character, and "0" is none: of long texts hypothesis makes better ones than of long lists,
    and shortens those that fail faster."""
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
async def test_the_clinic_answers_as_the_rules_say(
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
    # The ingress itself answers those.
    never = {Reason.UNKNOWN_APPOINTMENT, Reason.NOT_YOURS, Reason.IDEMPOTENCY_KEY_REUSED}
    assert {*Reason} - never | {"confirmed", "not_found"} == given_answers.keys(), given_answers
