"""`clinic replay`, as an operator calls it."""

import json

from infra.settings import Settings
from tests.clinic import database
from tests.ops.conftest import clinic_command
from tests.replay.conftest import Seeded, copy_of, decided, execute, fetchval, state
from tests.replay.history import History
from tests.replay.sending import send


async def test_rebuild_and_verify_report_the_same_state(seeded: Seeded, template: str) -> None:
    original = await state(seeded.settings)
    async with database(seeded.settings, template) as empty:
        rebuilt = clinic_command(empty, "replay", "rebuild", "--json")
        assert rebuilt.returncode == 0, rebuilt.stderr
        figures = json.loads(rebuilt.stdout)
        assert figures["state"] == {"hash": original.hash, "rows": original.rows}
        assert figures["folded"] == sum(partition["events"] for partition in figures["partitions"])
        again = clinic_command(empty, "replay", "rebuild").stdout
        assert f"{figures['folded']:,} events folded" in again
        assert f"state {original.hash}" in again

        verified = clinic_command(empty, "replay", "verify", "--json")
        assert verified.returncode == 0, verified.stdout
        told_by_verify = json.loads(verified.stdout)
        assert told_by_verify["state"] == figures["state"]
        assert told_by_verify["findings"] == 0
        assert told_by_verify["commands_per_s"] > 0


async def test_a_finding_is_reported_with_its_position_and_status_1(own: Settings) -> None:
    await send(own, History(5, 60).records())
    await decided(own)
    async with copy_of(own) as tampered:
        partition, offset = await fetchval(
            tampered, 'SELECT min(array[partition, "offset"]) FROM booking.decisions'
        )
        await execute(
            tampered,
            """
            UPDATE booking.decisions SET fingerprint = repeat('0', 32)
            WHERE partition = $1 AND "offset" = $2
            """,
            partition,
            offset,
        )

        printed = clinic_command(tampered, "replay", "verify")
        assert printed.returncode == 1
        assert f"{partition}/{offset} " in printed.stdout
        assert "the decision in the database is not the event's" in printed.stdout
        [finding] = [
            finding
            for report in json.loads(clinic_command(tampered, "replay", "verify", "--json").stdout)[
                "partitions"
            ]
            for finding in report["findings"]
            if report["partition"] == partition
        ]
        assert finding["offset"] == offset
        assert finding["recorded"] != finding["decided"]
