"""Queries on tags: the distinct ones of agents and blocks, in alphabetical order."""

from typing import Final, assert_never

from eunoe.store.db import Tx, Value
from eunoe.store.paging import Page

_OF_AGENTS: Final = (
    "SELECT agent_tags.tag AS tag FROM agent_tags"
    " JOIN agents ON agents.id = agent_tags.agent_id WHERE agents.organization_id = $1"
)


async def list_tags(tx: Tx, page: Page, *, containing: str | None = None) -> list[str]:
    """Return a page of tags; the cursors are tags, known or not (api 20).

    With `before` alone it is the tags next to that one, as for every list.
    """
    args: list[Value] = [tx.actor.organization_id]
    clauses: list[str] = []
    for cursor, later in ((page.after, True), (page.before, False)):
        if cursor is not None:
            args.append(cursor)
            clauses.append(f"tag {'>' if later == page.ascending else '<'} ${len(args)}")
    if containing:
        args.append(containing)
        position = "instr" if tx.dialect == "sqlite" else "strpos"
        clauses.append(f"{position}(tag, ${len(args)}) > 0")
    args.append(page.limit or 1000)
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    backwards = page.before is not None and page.after is None
    rows = await tx.fetch(
        f"SELECT tag FROM ({_OF_AGENTS} UNION {_of_blocks(tx)}) AS tags {where}"
        f" ORDER BY tag {'ASC' if page.ascending != backwards else 'DESC'} LIMIT ${len(args)}",
        *args,
    )
    return [row[0] for row in (rows[::-1] if backwards else rows)]


def _of_blocks(tx: Tx) -> str:
    match tx.dialect:
        case "sqlite":
            return (
                "SELECT each.value FROM blocks, json_each(blocks.tags_json) AS each"
                " WHERE blocks.organization_id = $1"
            )
        case "postgresql":
            # The collation makes the order, and so the cursors, the same on both engines.
            return (
                'SELECT each.value COLLATE "C" FROM blocks,'
                " jsonb_array_elements_text(blocks.tags_json::jsonb) AS each(value)"
                " WHERE blocks.organization_id = $1"
            )
        case _:
            assert_never(tx.dialect)
