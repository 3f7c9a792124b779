"""All faults, by name."""

from tests.faults import backup, handler_bug, network_faults, poison, process_faults, server_faults
from tests.faults.fault import Fault

ALL: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        process_faults.KillWorker(),
        process_faults.KillWorkers(),
        process_faults.KillIngress(),
        process_faults.FreezeWorker(),
        process_faults.FreezeIngress(),
        process_faults.RebalanceStorm(),
        process_faults.JumpClock(),
        server_faults.KillKafka(),
        server_faults.KillPostgres(),
        server_faults.QuitPostgres(),
        server_faults.KillValkey(),
        server_faults.FlushValkey(),
        server_faults.FillDisk(),
        backup.RestoreBackup(),
        handler_bug.HandlerBug(),
        network_faults.Latency(),
        network_faults.BlackHole(),
        network_faults.CutWrites(),
        poison.PoisonEverywhere(),
    )
}
# What `make test` has time for: each of them comes in its three minutes.
SHORT = [
    *("kill-worker", "kill-ingress", "freeze-worker", "kill-kafka", "kill-postgres", "quit-postgres"),
    *("kill-valkey", "flush-valkey", "handler-bug", "latency", "cut-writes", "poison"),
]
