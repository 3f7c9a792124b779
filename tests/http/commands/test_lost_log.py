"""A log that has lost its end accepts no command at an offset that was decided before."""

from infra.settings import Settings
from tests.clinic import CHECKUP
from tests.clinic import clinic as running_clinic
from tests.waiting import until_async

BODY = {"name": "Dr. Lost", "specialty": "tests", "visit_types": [CHECKUP]}


async def test_an_acknowledgement_below_the_position_is_not_a_202(settings: Settings, template: str) -> None:
    async with running_clinic(settings, template, worker=False) as clinic:

        async def register(key: str) -> tuple[int, str | None]:
            answer = await clinic.send("POST", "/v1/doctors", clinic.staff, BODY, key=key, wait=0)
            return answer.status_code, answer.json().get("code")

        assert await register("first") == (202, None)
        # As after the broker restarted without records that it had acknowledged: Postgres is ahead.
        await clinic.postgres.execute(
            """
            INSERT INTO booking.partition_progress AS p (topic, partition, topic_id, next_offset)
            SELECT $1, partition, gen_random_uuid(), 100 FROM generate_series(0, 11) AS partition
            ON CONFLICT (topic, partition) DO UPDATE SET next_offset = 100
            """,
            f"{clinic.settings.namespace}booking.commands.v1",
        )

        async def refused() -> bool:
            return await register("second") == (503, "log_unavailable")

        await until_async(refused, "the ingress has seen the position")
        assert await register("first") == (503, "log_unavailable"), "nor does a repeat"
