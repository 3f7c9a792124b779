"""The page behind a link in a message: it asks, and does something only when its button is pressed."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from ingress.pages.files import SECURITY_HEADERS
from ingress.resources import Resources
from storage.profiles import Language

HEADERS = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "An HTML page.", "content": {"text/html": {"schema": {"type": "string"}}}}
}
LinkToken = Annotated[str, Path(description="the link's token, from a message")]
TEMPLATE = Environment(
    loader=PackageLoader("ingress"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("link.html")


@dataclass(frozen=True, slots=True)
class PageWords:
    """The texts of a page."""

    title: str
    question: str
    button: str
    done: str
    others: str


def link_page(
    app: Resources, language: Language, words: PageWords, *, asks: bool, button: tuple[str, str]
) -> HTMLResponse:
    """The page. `asks`: with its question and a button, whose name and value are sent; else it is done."""
    pages = app.settings.page_languages
    content = TEMPLATE.render(
        language=language,
        page_language=language if language in pages else pages[0],
        clinic=app.settings,
        stylesheets=app.pages.stylesheets,
        words=words,
        asks=asks,
        button=button,
    )
    return HTMLResponse(content, headers=HEADERS)
