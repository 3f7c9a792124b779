"""Makes every process that imports `infra` use the time zones of the locked `tzdata` package only.

The system's data, which Python would prefer, may be older or newer and differ between machines.
"""

import zoneinfo
from functools import cache
from importlib.metadata import version

zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()


@cache
def zone_data_version() -> str:
    """The version of the time zone data that this process uses: `2026.6`."""
    return version("tzdata")
