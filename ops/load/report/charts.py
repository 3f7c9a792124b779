"""Line charts as SVG, drawn here, so that the report needs no script. Its style sheet has the colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10

from markupsafe import Markup, escape

WIDTH, WIDE, HEIGHT = 640, 1320, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 12, 40
TICKS_WANTED = 5


@dataclass(frozen=True)
class Series:
    """A line: points in the order of x. `style` is a class: `read`, `write`, `error`, `part-0` and so on."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Limit:
    """A horizontal line that the lines of this style should stay under."""

    name: str
    style: str
    y: float


@dataclass(frozen=True)
class Axis:
    """An axis: its label, and for a logarithmic one also its ticks."""

    label: str
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart with a title, and a sentence that says how to read it."""

    title: str
    note: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    limits: Sequence[Limit] = field(default_factory=list)
    width: int = WIDTH

    @property
    def svg(self) -> Markup:
        """The picture. Empty if there is nothing to draw."""
        points = [point for series in self.series for point in series.points]
        if not points:
            return Markup('<p class="nothing">Nothing was measured.</p>')
        xs, x_ticks = _scale(self.x, [x for x, _ in points], LEFT, self.width - RIGHT)
        heights = [y for _, y in points] + [limit.y for limit in self.limits]
        ys, y_ticks = _scale(self.y, heights, HEIGHT - BOTTOM, TOP)
        parts = [
            *(_horizontal(ys(value), self.width, text) for value, text in y_ticks),
            *(_below(xs(value), text) for value, text in x_ticks),
            _labels(self.width, self.x.label, self.y.label),
            *(_line(series, xs, ys) for series in self.series if series.points),
            *(_limit(limit, self.width, ys(limit.y)) for limit in self.limits),
        ]
        described = escape(f"{self.title}. {self.note}")
        size = f"0 0 {self.width} {HEIGHT}"
        picture = f'<svg viewBox="{size}" role="img" aria-label="{described}">{"".join(parts)}</svg>'
        return Markup(picture)  # noqa: S704 (numbers, and texts that are escaped)


Scale = Callable[[float], float]


def _scale(
    axis: Axis, values: Sequence[float], start: float, end: float
) -> tuple[Scale, list[tuple[float, str]]]:
    if axis.log:
        low = 10 ** floor(log10(max(min(values), 1e-3)))
        high = 10 ** ceil(log10(max(*values, low * 10)))
        ticks = list(axis.ticks) or _decades(low, high)

        def logarithmic(value: float) -> float:
            share = log10(max(value, low) / low) / log10(high / low)
            return start + (end - start) * share

        return logarithmic, [tick for tick in ticks if low <= tick[0] <= high]
    low = min(0.0, *values)
    step = _step((max(values) - low) / TICKS_WANTED)
    high = max(low + step, step * ceil(max(values) / step - 1e-9))
    count = round((high - low) / step)

    def linear(value: float) -> float:
        return start + (end - start) * (value - low) / (high - low)

    return linear, [(low + step * number, _text(low + step * number)) for number in range(count + 1)]


def _step(rough: float) -> float:
    if rough <= 0:
        return 1.0
    power: float = 10 ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    return [(low * 10**number, _text(low * 10**number)) for number in range(round(log10(high / low)) + 1)]


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def _horizontal(y: float, width: int, text: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _below(x: float, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'


def _labels(width: int, x: str, y: str) -> str:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return (
        f'<text class="label" x="{(LEFT + width - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
        f"{escape(x)}</text>"
        f'<text class="label" transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y)}</text>"
    )


def _limit(limit: Limit, width: int, y: float) -> str:
    return (
        f'<line class="limit {limit.style}" x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="limit-name {limit.style}" x="{LEFT + 4}" y="{y - 5:.1f}">'
        f"{escape(limit.name)}</text>"
    )


def _line(series: Series, xs: Scale, ys: Scale) -> str:
    places = [(xs(x), ys(y)) for x, y in series.points]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    name = escape(series.name)
    if len(places) > 40:
        return f'<polyline class="line {series.style}" points="{drawn}"><title>{name}</title></polyline>'
    dots = "".join(
        f'<circle class="dot {series.style}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>{name}: {_text(value)}</title></circle>"
        for (x, y), (_, value) in zip(places, series.points, strict=True)
    )
    return f'<polyline class="line {series.style}" points="{drawn}"/>{dots}'
