"""Templates and translations are installed with the code."""

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[4]


def test_templates_and_catalogues_are_in_the_wheel() -> None:
    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}

    for folder in ("notifier/content/templates", "notifier/content/locale", "ingress/templates"):
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert sources
        assert sources <= files
