"""What a fault is."""

import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.machine import Machine


class Fault(ABC):
    """Something that goes wrong for a while.

    Attributes:
        name: how it is asked for on the command line, and counted.
        seconds: about how long it takes, for the plan.
        disturbs: whether everything is to go on meanwhile, so that other faults may come at the same time.
    """

    name: str
    seconds: float
    disturbs: bool = False

    @abstractmethod
    async def apply(self, machine: "Machine", chance: random.Random) -> None:
        """Let it happen, hold it, undo it, and wait until the machine has recovered.

        Raises:
            UnavailableError: this machine does not allow it.
        """
