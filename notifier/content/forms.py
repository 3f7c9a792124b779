"""Renders the words of a mail as plain text and as HTML."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from notifier.content.words import Words


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("notifier.content"),
        # Plain text needs no escaping.
        autoescape=autoescape,  # noqa: S701 (on for HTML)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


_TEXT = _environment(autoescape=False).get_template("notification.txt")
_HTML = _environment(autoescape=True).get_template("notification.html")


def as_text(words: Words) -> str:
    """Plain text, without line wrapping."""
    return _TEXT.render(words=words)


def as_html(words: Words) -> str:
    """A self-contained HTML document: it loads nothing."""
    return _HTML.render(words=words)
