"""Queries on tools: one row a name in an organization, and which agents have it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from eunoe.domain.tools import Tool
from eunoe.errors import ToolNameTaken
from eunoe.store import codec, own
from eunoe.store.db import Row, Tx, UniqueViolated, among, now_micros, unindexed
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

_OWN: Final = ("id", "name", "tool_type", "created_by_id", "last_updated_by_id")
_COLUMNS: Final = ", ".join(f"tools.{name}" for name in (*_OWN, "body_json"))
_BODY: Final = tuple(it.name for it in fields(Tool) if it.name not in _OWN)
CHANGEABLE: Final = ("tags", "return_char_limit", "default_requires_approval", "metadata")
"""What people may say of a tool that the server brings (api 13.4)."""
_LISTING: Final = Listing(noun="tool", table="tools", columns=_COLUMNS)
_UPSERT: Final = (
    "INSERT INTO tools (id, organization_id, name, tool_type, body_json, created_by_id,"
    " last_updated_by_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
    " ON CONFLICT (organization_id, name) DO UPDATE SET tool_type = excluded.tool_type,"
    " body_json = excluded.body_json, last_updated_by_id = excluded.last_updated_by_id,"
    f" updated_at = excluded.updated_at RETURNING {_COLUMNS}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """What is asked of a list or count of tools (api 13.3); null and empty ask for nothing.

    `letta_only` wants the types that start with `letta_`; false wants the others. With a
    `project_id` come also the tools of no project.
    """

    name: str | None = None
    names: tuple[str, ...] = ()
    tool_ids: tuple[str, ...] = ()
    search: str | None = None
    tool_types: tuple[str, ...] = ()
    exclude_tool_types: tuple[str, ...] = ()
    letta_only: bool | None = None
    tags: tuple[str, ...] = ()
    project_id: str | None = None
    agent_id: str | None = None


async def upsert(tx: Tx, tool: Tool) -> Tool:
    """Store a tool under its name; where the name is stored, that row keeps its id (api 13.2)."""
    rows = await tx.fetch(
        _UPSERT,
        tool.id,
        tx.actor.organization_id,
        tool.name,
        tool.tool_type,
        _body(tool),
        tool.created_by_id,
        tool.last_updated_by_id,
        now_micros(),
    )
    return _read(rows[0])


async def update(tx: Tx, tool: Tool) -> bool:
    """Replace the tool with this id; raise `ToolNameTaken`. Whether there is such a tool."""
    try:
        changed = await tx.execute(
            "UPDATE tools SET name = $1, tool_type = $2, body_json = $3,"
            " last_updated_by_id = $4, updated_at = $5 WHERE id = $6 AND organization_id = $7",
            tool.name,
            tool.tool_type,
            _body(tool),
            tool.last_updated_by_id,
            now_micros(),
            tool.id,
            tx.actor.organization_id,
        )
    except UniqueViolated as error:
        raise ToolNameTaken(name=tool.name) from error
    return bool(changed)


async def seed(tx: Tx, tools: Sequence[Tool]) -> None:
    """Make the built-in tools present and as this version has them; ids that are stored stay.

    So does what a person has changed about one of them. One read, and no write where nothing
    changed, so that every start can ask.
    """
    stored = await by_names(tx, [tool.name for tool in tools])
    for tool in tools:
        was = stored.get(tool.name)
        wanted = tool if was is None else replace(tool, **_changed(was))
        if was is None or (was.tool_type, _body(was)) != (wanted.tool_type, _body(wanted)):
            await upsert(tx, wanted)


def _changed(tool: Tool) -> dict[str, Any]:
    """Return what a person has said of a tool that the server brings; nothing else stays."""
    if tool.last_updated_by_id is None:
        return {}
    return {name: getattr(tool, name) for name in (*CHANGEABLE, "last_updated_by_id")}


async def unseed(tx: Tx, tools: Sequence[Tool]) -> None:
    """Remove the built-in tools from an organization that is to go."""
    await tx.execute(
        "DELETE FROM tools WHERE organization_id = $1 AND tool_type <> 'custom'"
        f" AND name {among(tx, '$2')}",
        tx.actor.organization_id,
        codec.encode([tool.name for tool in tools]),
    )


async def get(tx: Tx, tool_id: str, *, held: bool = False) -> Tool | None:
    """Return a tool; `held` keeps others from changing it until the commit."""
    row = await own.row(tx, _LISTING, tool_id, held=held)
    return None if row is None else _read(row)


async def by_ids(tx: Tx, tool_ids: Sequence[str]) -> dict[str, Tool]:
    """Return the tools with these ids, by id; unknown ids are left out."""
    return {tool.id: tool for tool in await _among(tx, "id", tool_ids)}


async def by_names(tx: Tx, names: Sequence[str]) -> dict[str, Tool]:
    """Return the tools with these names, by name; unknown names are left out."""
    return {tool.name: tool for tool in await _among(tx, "name", names)}


async def delete(tx: Tx, tool_id: str) -> bool:
    """Remove a tool and its attachments; whether there was one."""
    return await own.delete(tx, "tools", tool_id)


async def list_tools(tx: Tx, where: ToolFilter, page: Page) -> list[Tool]:
    """Return a page of tools in at most two statements; an unknown cursor is ignored."""
    return [_read(row) for row in await listing(tx, _LISTING, _where(tx, where), page)]


async def count(tx: Tx, where: ToolFilter) -> int:
    return await own.count(tx, _where(tx, where), "tools")


async def attach(tx: Tx, agent_id: str, tool_ids: Sequence[str]) -> int:
    """Give the agent these tools, in this order after those it has; return how many are new.

    Tools it has already, and unknown ones, are passed over.
    """
    added = 0
    for tool_id in tool_ids:
        added += await tx.execute(
            "INSERT INTO agents_tools (agent_id, tool_id, position)"
            " SELECT agents.id, tools.id, (SELECT COALESCE(MAX(position), 0) + 1"
            " FROM agents_tools WHERE agent_id = $1) FROM agents, tools"
            " WHERE agents.id = $1 AND tools.id = $2"
            " AND agents.organization_id = $3 AND tools.organization_id = $3"
            " ON CONFLICT (agent_id, tool_id) DO NOTHING",
            agent_id,
            tool_id,
            tx.actor.organization_id,
        )
    return added


async def detach(tx: Tx, agent_id: str, tool_ids: Sequence[str]) -> int:
    """Take these tools from the agent; return how many it had."""
    return await tx.execute(
        f"DELETE FROM agents_tools WHERE agent_id = $1 AND tool_id {among(tx, '$2')}"
        " AND (SELECT organization_id FROM agents WHERE id = $1) = $3",
        agent_id,
        codec.encode(list(tool_ids)),
        tx.actor.organization_id,
    )


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> dict[str, list[Tool]]:
    """Return each agent's tools in the order they were attached, in one statement.

    Agents mostly have the same tools, so each of those is one row with all who have it.
    """
    rows = await tx.fetch(
        f"SELECT {_COLUMNS}, string_agg(agent_id || ' ' || position, ',') FROM agents_tools"
        " JOIN tools ON tools.id = agents_tools.tool_id"
        f" WHERE agents_tools.agent_id {among(tx, '$1')}"
        f" AND {unindexed('tools.organization_id')} = $2 GROUP BY tools.id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    held: dict[str, list[tuple[int, str, Tool]]] = {agent_id: [] for agent_id in agent_ids}
    for row in rows:
        tool = _read(row)
        for had in row[-1].split(","):
            agent_id, position = had.split(" ")
            held[agent_id].append((int(position), tool.id, tool))
    return {agent_id: [tool for *_, tool in sorted(found)] for agent_id, found in held.items()}


async def _among(tx: Tx, column: str, values: Sequence[str]) -> list[Tool]:
    # Names are looked up within the organization, ids anywhere.
    scope = "organization_id" if column == "name" else unindexed("organization_id")
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM tools WHERE {column} {among(tx, '$1')} AND {scope} = $2",
        codec.encode(list(values)),
        tx.actor.organization_id,
    )
    return [_read(row) for row in rows]


def _where(tx: Tx, asked: ToolFilter) -> Where:
    where = of_organization(tx, "tools").equal(name=asked.name).contains(name=asked.search)
    where.among("tools.name", asked.names)
    where.among("tools.id", asked.tool_ids)
    where.among("tools.tool_type", asked.tool_types)
    if asked.exclude_tool_types:
        place = where.bound(codec.encode(asked.exclude_tool_types))
        where.clauses.append(f"NOT tools.tool_type {among(tx, place)}")
    if asked.letta_only is not None:
        where.add(f"tools.tool_type {'' if asked.letta_only else 'NOT '}LIKE {{}}", "letta%")
    where.tagged(_of_body(tx, "->", "tags"), asked.tags, every=False)
    if asked.project_id is not None:
        project = _of_body(tx, "->>", "project_id")
        where.add(f"({project} IS NULL OR {project} = {{}})", asked.project_id)
    where.linked(
        "tools.id IN (SELECT tool_id FROM agents_tools WHERE agent_id = {})", asked.agent_id
    )
    return where


def _of_body(tx: Tx, arrow: str, name: str) -> str:
    """Return SQL for a part of the body: `->` as JSON, `->>` as text."""
    text = "tools.body_json" if tx.dialect == "sqlite" else "tools.body_json::jsonb"
    return f"({text} {arrow} '{name}')"


def _body(tool: Tool) -> str:
    """Return what is stored of a tool beside its own columns; the same tool gives the same text."""
    return codec.encode({name: getattr(tool, name) for name in _BODY})


def _read(row: Row) -> Tool:
    own: dict[str, Any] = dict(zip(_OWN, row, strict=False))
    return codec.tool.validate_python(codec.loads(row[len(_OWN)]) | own)
