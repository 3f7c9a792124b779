"""SQL by name: statements kept in `.sql` files, in the file format of procrastinate.

-- next_offset --
-- Where a partition continues. (Comments after the name are for the reader, and are not sent.)
SELECT next_offset FROM booking.partition_progress WHERE topic = $1 AND partition = $2
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_COMMENT = re.compile(r"^--.*$", re.MULTILINE)
_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*) --\n(?:--.*\n)*", re.MULTILINE)


def where(conditions: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """A WHERE clause and its values; a condition whose value is None is left out.

    `{}` in a condition is its value: `"starts_at >= {}"`; a tuple has one value for each. What is not asked
    for does not stand in the statement, so that each kind of question is planned for itself.
    """
    asked = ["true"]
    values: list[Any] = []
    for condition, value in conditions.items():
        if value is not None:
            parts = value if isinstance(value, tuple) else (value,)
            asked.append(condition.format(*(f"${len(values) + n}" for n, _ in enumerate(parts, start=1))))
            values += parts
    return f"WHERE {' AND '.join(asked)}", values


def load_queries(path: Path, **lists: str) -> Mapping[str, str]:
    """The statements of a file by name. `{name}` in a statement becomes the keyword argument of that name.

    Raises:
        ValueError: a statement stands before the first name, a name has no statement, or is there twice.
    """
    before, *parts = _NAME.split(path.read_text("utf-8"))
    queries: dict[str, str] = {}
    for name, statement in zip(parts[::2], parts[1::2], strict=True):
        if not statement.strip() or name in queries:
            raise ValueError(f"{path}: {name} has no statement, or is there twice")
        queries[name] = statement.strip().format(**lists) if lists else statement.strip()
    if _COMMENT.sub("", before).strip() or not queries:
        raise ValueError(f"{path}: a statement has no name")
    return queries
