"""What `decide` returns."""

from contracts.events import Fact
from contracts.refusals import Refusal

Outcome = list[Fact] | Refusal
