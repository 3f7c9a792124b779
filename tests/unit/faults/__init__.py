import pytest

pytest.register_assert_rewrite("tests.unit.faults.checker.topics")
