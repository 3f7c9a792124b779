"""The interface of a fault."""

import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.machine.machine import Machine


class Fault(ABC):
    """A disturbance of limited duration.

    Attributes:
        name: its name on the command line and in the report.
        seconds: roughly how long it takes, for the schedule.
        disturbs: whether everything keeps working meanwhile, so that other faults may run at the same time.
        mail_may_repeat: whether an identical mail may be sent again, because its arrival was unknown.
        default: whether it is part of a run that names no faults.
    """

    name: str
    seconds: float
    disturbs: bool = False
    mail_may_repeat: bool = False
    default: bool = True

    @abstractmethod
    async def apply(self, machine: "Machine", chance: random.Random) -> None:
        """Cause it, hold it, undo it, and wait until the machine has recovered.

        Raises:
            UnavailableError: this machine does not allow it.
        """
