"""`promtool check rules`, and the service levels where they are just met and just missed."""

import pytest

from tests.alerts.promtool import RULES, Promtool, Samples


async def test_promtool_accepts_the_rules(promtool: Promtool) -> None:
    status, said = await promtool.run("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert (status, said.count("SUCCESS")) == (0, len(RULES)), said


def requests(total: int, failed: int, slow: int) -> Samples:
    """So many requests of an ingress: reads, of which so many took between 0.1 and 0.25 s, and errors."""
    read = 'instance="i", job="clinic", method="GET", route="/v1/doctors"'
    buckets = {"0.1": total - slow, "0.25": total, "+Inf": total}
    return {
        **{f'clinic_http_answer_seconds_bucket{{{read}, le="{le}"}}': n for le, n in buckets.items()},
        f'clinic_http_requests_total{{{read}, status="200"}}': total - failed,
        f'clinic_http_requests_total{{{read}, status="503"}}': failed,
    }


@pytest.mark.parametrize(
    ("alert", "failed", "slow", "fires"),
    # `rate` reckons a series that begins with 0 some 6 % lower than others.
    [
        ("ClinicReadsSlow", 0, 400, False),  # 96 % within 0.1 s
        ("ClinicReadsSlow", 0, 2_000, True),
        ("ClinicErrorsFast", 140, 0, False),  # 14 times what a month allows
        ("ClinicErrorsFast", 170, 0, True),
        ("ClinicErrorsSlow", 55, 0, False),
        ("ClinicErrorsSlow", 75, 0, True),
    ],
)
async def test_service_levels(promtool: Promtool, alert: str, failed: int, slow: int, fires: bool) -> None:
    before, after = requests(10_000, 0, 0), requests(20_000, failed, slow)
    assert await promtool.fires(alert, before, after, 15, once=False) is fires
