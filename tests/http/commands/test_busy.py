"""An overloaded partition accepts no more commands."""

from booking_worker.main import running_worker
from infra.settings import Settings
from tests.clinic import CHECKUP, Clinic
from tests.clinic import clinic as running_clinic
from tests.waiting import until_async

LIMIT_S = 1.0


async def register(clinic: Clinic, key: str) -> tuple[int, str | None, str]:
    """Request a doctor's registration: status, code, Retry-After."""
    body = {"name": "Dr. Late", "specialty": "tests", "visit_types": [CHECKUP]}
    answer = await clinic.send("POST", "/v1/doctors", clinic.staff, body, key=key, wait=0)
    return answer.status_code, answer.json().get("code"), answer.headers.get("retry-after", "")


async def test_a_stopped_partition_accepts_no_more(settings: Settings, template: str) -> None:
    impatient = settings.model_copy(update={"busy_after_s": LIMIT_S})
    async with running_clinic(impatient, template, worker=False) as clinic:
        assert await register(clinic, "first") == (202, None, "1")
        # Without a worker: once its first command is old enough, the partition is busy; the others are not.
        assert await register(clinic, "first") == (202, None, "1")

        async def busy() -> bool:
            status, code, retry_after = await register(clinic, "first")
            assert (status, code) in ((202, None), (503, "busy"))
            return status == 503 and int(retry_after) >= 1

        await until_async(busy, "the partition is busy")
        statuses = [(await register(clinic, f"other-{number}"))[0] for number in range(30)]
        assert 202 in statuses, "another partition is not affected"

        async with running_worker(clinic.settings):

            async def decided() -> bool:
                return (await register(clinic, "first"))[0] == 200

            await until_async(decided, "what was accepted is decided, and repeats are answered")

            async def accepted() -> bool:
                answers = [await register(clinic, f"later-{number}") for number in range(30)]
                return all(status in (200, 202) for status, _, _ in answers)

            await until_async(accepted, "all partitions take commands again")
