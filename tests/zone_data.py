"""Another version of the time zone data, installed for processes that have a folder in PYTHONPATH."""

import shutil
from importlib.resources import files
from pathlib import Path


def install_zone_data(folder: Path, version: str, zones: dict[str, str]) -> None:
    """Copy the locked package under another version. `zones`: by name, whose clocks each has there."""
    locked = Path(str(files("tzdata")))
    shutil.copytree(locked, folder / "tzdata")
    for zone, like in zones.items():
        (folder / "tzdata" / "zoneinfo" / zone).write_bytes((locked / "zoneinfo" / like).read_bytes())
    metadata = folder / f"tzdata-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: tzdata\nVersion: {version}\n")
