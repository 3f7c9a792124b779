"""All seeded defects."""

from tests.faults.bugs.defects import deciding, followers, history, ingress, rules

DEFECTS = (*deciding.DEFECTS, *rules.DEFECTS, *ingress.DEFECTS, *followers.DEFECTS, *history.DEFECTS)
