"""Each alert fires when what it is about happens on running services, and not before."""

import pytest

from infra import clock
from tests.alerts.promtool import Promtool
from tests.alerts.provocations import PROVOCATIONS, Provocation
from tests.alerts.scene import Scene


@pytest.mark.parametrize("provocation", PROVOCATIONS, ids=lambda it: it.act.__name__)
async def test_it_fires(promtool: Promtool, scene: Scene, provocation: Provocation) -> None:
    before, begun = await scene.scrape(), clock.monotonic()
    async with provocation.act(scene):
        after, took_s = await scene.scrape(), clock.monotonic() - begun
    quiet = [
        alert
        for alert in provocation.alerts
        if not await promtool.fires(alert, before, after, took_s, once=alert in provocation.once)
    ]
    assert quiet == []
