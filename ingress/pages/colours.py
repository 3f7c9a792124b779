"""The clinic's accent colour, made readable: text in it, and on it, has enough contrast in light and dark."""

CONTRAST_MIN = 4.6
"""A little more than the 4.5:1 of WCAG 2.2, 1.4.3, for rounding."""

LIGHTEST, DARKEST = "#eef2f5", "#20262d"
"""The backgrounds that the accent stands on: greyest of the light theme, brightest of the dark one."""

STEPS = 100

Rgb = tuple[float, float, float]


def stylesheet(accent: str) -> str:
    """CSS that sets the accent in both themes, and the colour of text on it."""
    light, dark = readable(accent, LIGHTEST, "#000000"), readable(accent, DARKEST, "#ffffff")
    return (
        f":root{{--accent:{light};--on-accent:#ffffff}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:#10151a}}}}\n"
    )


def readable(colour: str, background: str, towards: str) -> str:
    """The colour, mixed with as little of `towards` as contrast with the background needs."""
    mixed = (_mix(_parse(colour), _parse(towards), step / STEPS) for step in range(STEPS + 1))
    return next(_hex(rgb) for rgb in mixed if contrast(_hex(rgb), background) >= CONTRAST_MIN)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(_parse(first)), _luminance(_parse(second))))
    return (lighter + 0.05) / (darker + 0.05)


def _parse(colour: str) -> Rgb:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _mix(colour: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (a + (b - a) * share for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
