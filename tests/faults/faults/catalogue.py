"""All faults, by name."""

from tests.faults.faults import (
    backup,
    bent_history,
    database,
    handler_bug,
    log,
    lost_history,
    network,
    poison,
    processes,
    servers,
    wake_ups,
)
from tests.faults.faults.fault import Fault

ALL: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        processes.KillWorker(),
        processes.KillWorkers(),
        processes.KillIngress(),
        processes.KillFollower(),
        processes.FreezeWorker(),
        processes.FreezeIngress(),
        processes.RebalanceStorm(),
        processes.JumpClock(),
        servers.KillKafka(),
        servers.KillPostgres(),
        servers.QuitPostgres(),
        servers.KillValkey(),
        servers.FlushValkey(),
        servers.FillDisk(),
        servers.BreakMailServer(),
        backup.RestoreBackup(),
        backup.RestoreUnderServices(),
        backup.RestoreUnderIdleServices(),
        database.LockTable(),
        database.RefuseLogins(),
        database.RevokeGrant(),
        database.AddColumn(),
        wake_ups.GarbageWakeUps(),
        log.AlterSettings(),
        log.ForeignCodecs(),
        log.ForeignTransactions(),
        log.HeaderThatIsNoText(),
        log.NearTheMaximum(),
        log.Oversize(),
        log.WrongPartition(),
        log.DeleteRecords(),
        lost_history.TopicMadeAgain(),
        lost_history.CutCommands(),
        lost_history.CutCommandsUndecided(),
        lost_history.CutEvents(),
        lost_history.DeleteUndecided(),
        bent_history.FlipCommands(),
        bent_history.FlipEvents(),
        bent_history.ForgedEvents(),
        bent_history.ForgedWhileDown(),
        bent_history.FarAhead(),
        bent_history.MorePartitions(),
        handler_bug.HandlerBug(),
        network.Latency(),
        network.BlackHole(),
        network.CutWrites(),
        poison.PoisonEverywhere(),
    )
}
# The faults of a run that names none: those that the product survives.
DEFAULT = [name for name, fault in ALL.items() if fault.default]
# The faults that `make test` has time for: each occurs in its three minutes.
SHORT = [
    "kill-worker", "kill-ingress", "freeze-worker", "kill-kafka", "kill-postgres", "quit-postgres",
    "kill-valkey", "flush-valkey", "handler-bug", "latency", "cut-writes", "poison", "kill-follower",
    "break-mail-server",
]  # fmt: skip
