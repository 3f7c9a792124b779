"""No parser of what strangers send fails in a way that it does not document. `make security` takes longer."""

import pytest

from tests.fuzzing.chance import changed_bytes, go_on
from tests.fuzzing.samples import SAMPLES
from tests.fuzzing.targets import TARGETS

EXAMPLES = 40


@pytest.mark.parametrize("name", TARGETS)
def test_only_documented_errors(name: str, fuzz_seconds: float) -> None:
    for sample in SAMPLES[name]:
        TARGETS[name](sample)
    go_on(TARGETS[name], changed_bytes(SAMPLES[name]), EXAMPLES, fuzz_seconds)
