"""The data model, made from a migrated database: its tables, keys and comments."""

from collections import defaultdict
from hashlib import sha256

from infra.postgres import Connection
from ops.migrate import MIGRATIONS

_HEAD = """# The data model

Made by `make documents` from a migrated database, whose own comments these are (`\\d+` in psql shows them,
too). Solid lines in the diagrams are foreign keys. Dotted ones say where a column's values come from: no
constraint holds them, as what is folded from a log arrives in the log's order
([decision 20](decisions/0020-no-foreign-keys-between-projections.md)).
"""
_SCHEMAS = """
SELECT nspname AS schema, obj_description(oid, 'pg_namespace') AS said FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
ORDER BY nspname
"""
_COLUMNS = """
SELECT n.nspname AS schema, c.relname AS table, obj_description(c.oid, 'pg_class') AS table_said,
    a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
    col_description(c.oid, a.attnum) AS said,
    coalesce(a.attnum = ANY(k.conkey), false) AS is_key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
ORDER BY n.nspname, c.relname, a.attnum
"""
_REFERENCES = """
SELECT n.nspname AS schema, c.relname AS child, p.relname AS parent,
    (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum = ANY(k.conkey)) AS columns
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_class p ON p.oid = k.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND NOT c.relispartition
ORDER BY n.nspname, c.relname, p.relname
"""


async def data_model(database: Connection) -> str:
    """The page, in Markdown, with a diagram (mermaid) for each schema."""
    tables = defaultdict(lambda: defaultdict(list))  # type: ignore[var-annotated]
    for row in await database.fetch(_COLUMNS):
        tables[row["schema"]][row["table"]].append(row)
    references = await database.fetch(_REFERENCES)
    lines = [_HEAD]
    for schema in await database.fetch(_SCHEMAS):
        name = schema["schema"]
        if name not in tables:
            continue
        lines += [f"## {name}\n", *([f"{schema['said']}\n"] if schema["said"] else [])]
        lines += ["```mermaid", "erDiagram"]
        for table, columns in tables[name].items():
            lines += [f"    {table} {{", *(_drawn(column) for column in columns), "    }"]
        own = [row for row in references if row["schema"] == name]
        lines += [f'    {row["parent"]} ||--o{{ {row["child"]} : "{row["columns"]}"' for row in own]
        constrained = {(row["child"], row["columns"]) for row in own}
        lines += [line for column, line in _named(tables[name]).items() if column not in constrained]
        lines += ["```", ""]
        for table, columns in tables[name].items():
            lines += [f"### {name}.{table}\n", f"{columns[0]['table_said']}\n"]
            lines += ["| column | type | |", "|---|---|---|", *map(_row, columns), ""]
    return "\n".join([*lines, f"<!-- {migrations_hash()} -->\n"])


def migrations_hash() -> str:
    """A hash of all revisions, on the last line of the page: a check without a database compares it."""
    revisions = sorted((MIGRATIONS / "versions").glob("*.sql"))
    return sha256(b"".join(revision.read_bytes() for revision in revisions)).hexdigest()


def _named(tables) -> dict[tuple[str, str], str]:  # type: ignore[no-untyped-def]
    """By table and column: a dotted line from the table whose key the column has the name of."""
    keys = {}
    for table, columns in tables.items():
        match [column["column"] for column in columns if column["is_key"]]:
            case ["id"]:
                keys[f"{table.removesuffix('s')}_id"] = table
            case [key] if key.endswith("_id"):
                keys[key] = table
    return {
        (table, column["column"]): f'    {keys[column["column"]]} ||..o{{ {table} : "{column["column"]}"'
        for table, columns in tables.items()
        for column in columns
        if keys.get(column["column"], table) != table
    }


def _drawn(column) -> str:  # type: ignore[no-untyped-def]
    type_ = column["type"].replace(" with time zone", "tz").replace(" ", "_").replace("[]", "_array")
    return f"        {type_} {column['column']}" + (" PK" if column["is_key"] else "")


def _row(column) -> str:  # type: ignore[no-untyped-def]
    said = (column["said"] or "").replace("|", "\\|")
    may_be_null = " or null" if column["nullable"] else ""
    return f"| {column['column']} | {column['type']}{may_be_null} | {said} |"
