"""The forms of a mail: its words in plain text, and in HTML."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from notifier.content.words import Words


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("notifier.content"),
        # Plain text is not escaped: there is nothing in it that means anything but itself.
        autoescape=autoescape,  # noqa: S701 (on for HTML)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


_TEXT = _environment(autoescape=False).get_template("letter.txt")
_HTML = _environment(autoescape=True).get_template("letter.html")


def as_text(words: Words) -> str:
    """Plain text, lines as long as they are."""
    return _TEXT.render(words=words)


def as_html(words: Words) -> str:
    """A document of its own: nothing in it is loaded from elsewhere."""
    return _HTML.render(words=words)
