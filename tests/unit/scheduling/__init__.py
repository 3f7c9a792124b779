import pytest

pytest.register_assert_rewrite("tests.unit.scheduling.given", "tests.unit.scheduling.schedules")
