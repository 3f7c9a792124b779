"""Figures as JSON or as CSV, whichever the client prefers."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Request, Response

from ingress.http.views import View, answer

JSON, CSV = "application/json", "text/csv"
# Spreadsheets take a text that begins so for a formula (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)


def table_answer(
    request: Request, view: View, *, items: Sequence[View], kind: type[View], name: str
) -> Response:
    """The view as JSON, or its items, all of one kind, as CSV in the file `name`."""
    headers = {"Vary": "Accept"}
    if best_media_type(",".join(request.headers.getlist("accept")), (JSON, CSV)) == JSON:
        return answer(view, headers=headers)
    columns = list(kind.model_fields)
    content = csv_text(columns, ([getattr(item, column) for column in columns] for item in items))
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, 200, headers, f"{CSV}; charset=utf-8; header=present")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with its header (RFC 4180). A text that would be a formula gets an apostrophe before it."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return written.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def best_media_type(accepted: str, offered: Sequence[str]) -> str:
    """The offered media type that `Accept` prefers (RFC 9110, section 12.5.1), the first of equals."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((it[2:].strip() for it in parameters if it.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            weights.setdefault(media_range, float(weight))

    def weight_of(media_type: str) -> float:
        ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        return next((weights[it] for it in ranges if it in weights), 0)

    return max(offered, key=weight_of)
