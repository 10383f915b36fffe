"""A schema as the engine itself describes it, to compare two."""

from typing import assert_never

from eunoe.store.db import Tx

_POSTGRESQL = (
    (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, column_name"
    ),
    (
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " ORDER BY tablename, indexname"
    ),
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    ),
)
_SQLITE = (
    (
        'SELECT t.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master AS t,'
        " pragma_table_info(t.name) AS c WHERE t.type = 'table' ORDER BY t.name, c.name"
    ),
    (
        'SELECT t.name, i.origin, i."unique", i.partial, c.seqno, c.name'
        " FROM sqlite_master AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c"
        " WHERE t.type = 'table' ORDER BY t.name, i.origin, i.name, c.seqno"
    ),
    (
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        " ORDER BY name"
    ),
    (
        'SELECT t.name, f."from", f."table", f."to", f.on_delete FROM sqlite_master AS t,'
        " pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table' ORDER BY t.name, f.\"from\""
    ),
    (
        "SELECT name, name, 'WITHOUT ROWID' FROM sqlite_master"
        " WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%' ORDER BY name"
    ),
)


async def described(tx: Tx, tables: set[str]) -> list[tuple[object, ...]]:
    """Return columns, indexes and keys of `tables`, in the engine's words."""
    match tx.dialect:
        case "sqlite":
            queries = _SQLITE
        case "postgresql":
            queries = _POSTGRESQL
        case _:
            assert_never(tx.dialect)
    return [
        tuple(" ".join(part.split()) if isinstance(part, str) else part for part in row)
        for query in queries
        for row in await tx.fetch(query)
        if row[0] in tables
    ]
