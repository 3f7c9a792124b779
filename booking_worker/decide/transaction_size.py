"""How many commands a transaction decides: as many as take a fraction of a second."""

from booking_worker.metrics import TRANSACTION_SECONDS

COMMANDS_MAX = 500
COMMANDS_MIN = 20
GOAL_S = 0.5


class TransactionSize:
    """Halved after a transaction that took too long, and grows again with quick ones."""

    def __init__(self) -> None:
        self.commands_max = COMMANDS_MAX

    def took(self, seconds: float) -> None:
        """Note how long a transaction took."""
        TRANSACTION_SECONDS.observe(seconds)
        if seconds > GOAL_S:
            self.halve()
        elif seconds < GOAL_S / 2:
            self.commands_max = min(self.commands_max + COMMANDS_MIN, COMMANDS_MAX)

    def halve(self) -> None:
        """Note that a transaction took too long, or was cancelled for that."""
        self.commands_max = max(self.commands_max // 2, COMMANDS_MIN)
