"""Queries on agents: the row, its tags, and what goes with it when it goes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eunoe.domain.agents import Agent, AgentType
from eunoe.store import codec, own
from eunoe.store.db import (
    Dialect,
    Row,
    Tx,
    Value,
    among,
    from_micros,
    optional_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

_PLAIN: Final = (
    "id", "name", "agent_type", "system", "description", "timezone", "max_files_open",
    "per_file_view_window_char_limit", "project_id", "template_id", "base_template_id",
    "deployment_id", "entity_id", "last_stop_reason", "last_run_duration_ms", "created_by_id",
    "last_updated_by_id",
)  # fmt: skip
_FIELDS: Final[tuple[str, ...]] = (
    *_PLAIN,
    "model_json",
    "embedding_json",
    "compaction_json",
    "metadata_json",
    "tool_rules_json",
    "call_policies_json",
    "message_buffer_autoclear",
    "enable_sleeptime",
    "response_format_json",
    "hidden",
    "last_run_completion",
    "created_at",
    "updated_at",
)
_COLUMNS: Final = (
    f"{', '.join(f'agents.{name}' for name in _FIELDS)},"
    " EXISTS (SELECT 1 FROM agents_folders WHERE agents_folders.agent_id = agents.id),"
    " (SELECT json_group_array(tag) FROM agent_tags WHERE agent_id = agents.id)"
)
_INSERT: Final = own.inserting("agents", (*_FIELDS, "organization_id"))
# What the last run left is `runs.end`'s alone: a PATCH beside it would put old values back.
_CHANGEABLE: Final = tuple(name for name in _FIELDS[1:] if not name.startswith("last_"))
_UPDATE: Final = (
    "UPDATE agents SET last_updated_by_id = $1,"
    f" {', '.join(f'{name} = ${at}' for at, name in enumerate(_CHANGEABLE, 2))}"
    f" WHERE id = ${len(_CHANGEABLE) + 2} AND organization_id = ${len(_CHANGEABLE) + 3}"
)
_LISTING: Final = Listing(
    noun="agent",
    table="agents",
    columns=_COLUMNS,
    orders={"created_at": False, "updated_at": False, "last_run_completion": True},
)
_LISTINGS: Final[dict[Dialect, Listing]] = {
    "sqlite": _LISTING,
    "postgresql": replace(
        _LISTING, columns=_COLUMNS.replace("json_group_array(tag)", "json_agg(tag)::text")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFilter:
    """What is asked of a list or count of agents (api 6.4); null and empty ask for nothing."""

    name: str | None = None
    query_text: str | None = None
    tags: tuple[str, ...] = ()
    match_all_tags: bool = False
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    created_by_id: str | None = None
    last_stop_reason: str | None = None
    block_id: str | None = None
    archive_id: str | None = None
    tool_id: str | None = None
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] = ()
    show_hidden: bool = False


async def insert(tx: Tx, agent: Agent) -> None:
    await tx.execute(_INSERT, *_values(agent), tx.actor.organization_id)
    await _insert_tags(tx, agent)


async def get(tx: Tx, agent_id: str, *, held: bool = False) -> Agent | None:
    """Return an agent with its tags, in one statement.

    `held` keeps others from changing it until the commit: ask for it before an `update`.
    """
    row = await own.row(tx, _LISTINGS[tx.dialect], agent_id, held=held)
    return None if row is None else _read(row)


async def type_of(tx: Tx, agent_id: str) -> AgentType | None:
    """Return the type of an agent, null for an unknown one."""
    found: AgentType | None = await tx.fetch_value(
        "SELECT agent_type FROM agents WHERE id = $1 AND organization_id = $2",
        agent_id,
        tx.actor.organization_id,
    )
    return found


async def many(tx: Tx, agent_ids: Sequence[str]) -> dict[str, Agent]:
    """Return the agents with these ids, by id; unknown ids are left out."""
    rows = await own.rows(tx, _LISTINGS[tx.dialect], agent_ids)
    return {row[0]: _read(row) for row in rows}


async def update(tx: Tx, agent: Agent) -> bool:
    """Replace the row and the tags, all but its last run's; whether there is such an agent."""
    values: dict[str, Value] = dict(zip(_FIELDS, _values(agent), strict=True))
    changed = await tx.execute(
        _UPDATE,
        agent.last_updated_by_id,
        *(values[name] for name in _CHANGEABLE),
        agent.id,
        tx.actor.organization_id,
    )
    if not changed:
        return False
    await tx.execute("DELETE FROM agent_tags WHERE agent_id = $1", agent.id)
    await _insert_tags(tx, agent)
    return True


async def delete(tx: Tx, agent_id: str) -> bool:
    """Remove an agent with its messages, runs, conversations, their blocks and links (api 6.45).

    Its own blocks, tools and archives stay; so do steps, without their run. Whether there was one.
    """
    scoped = (agent_id, tx.actor.organization_id)
    await tx.execute(
        f"DELETE FROM blocks WHERE {unindexed('organization_id')} = $2 AND id IN"
        " (SELECT held.block_id FROM conversations JOIN conversations_blocks AS held"
        " ON held.conversation_id = conversations.id WHERE conversations.agent_id = $1)",
        *scoped,
    )
    # Lists have no foreign key: their id is an agent's or a conversation's.
    await tx.execute(
        "DELETE FROM message_lists WHERE id IN"
        " (SELECT id FROM agents WHERE id = $1 AND organization_id = $2"
        " UNION ALL SELECT id FROM conversations WHERE agent_id = $1 AND organization_id = $2)",
        *scoped,
    )
    return bool(
        await tx.execute("DELETE FROM agents WHERE id = $1 AND organization_id = $2", *scoped)
    )


async def list_agents(tx: Tx, where: AgentFilter, page: Page) -> list[Agent]:
    """Return a page of agents with their tags, in the page's order, in at most two statements.

    The route shows them oldest first, whatever the order (api 5.8).
    """
    rows = await listing(tx, _LISTINGS[tx.dialect], _where(tx, where), page)
    return [_read(row) for row in rows]


async def count(tx: Tx, where: AgentFilter) -> int:
    return await own.count(tx, _where(tx, where), "agents")


def _where(tx: Tx, asked: AgentFilter) -> Where:
    where = of_organization(tx, "agents").equal(
        name=asked.name,
        project_id=asked.project_id,
        template_id=asked.template_id,
        base_template_id=asked.base_template_id,
        created_by_id=asked.created_by_id,
        last_stop_reason=asked.last_stop_reason,
    )
    where.contains(name=asked.query_text)
    if asked.tags:
        place = where.bound(codec.encode(asked.tags))
        found = "SELECT COUNT(*) FROM agent_tags WHERE agent_tags.agent_id = agents.id"
        found += f" AND agent_tags.tag {among(tx, place)}"
        where.counted(found, asked.tags, every=asked.match_all_tags)
    for table, column, value in (
        ("agents_blocks", "block_id", asked.block_id),
        ("agents_archives", "archive_id", asked.archive_id),
        ("agents_tools", "tool_id", asked.tool_id),
        ("agents_identities", "identity_id", asked.identity_id),
    ):
        where.linked(f"agents.id IN (SELECT agent_id FROM {table} WHERE {column} = {{}})", value)
    where.owned("agent", asked.identifier_keys)
    if not asked.show_hidden:
        where.shown("agents")
    return where


async def _insert_tags(tx: Tx, agent: Agent) -> None:
    if agent.tags:
        await tx.execute_many(
            "INSERT INTO agent_tags (agent_id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [(agent.id, tag) for tag in agent.tags],
        )


def _read(row: Row) -> Agent:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=False))
    return Agent(
        **{name: stored[name] for name in _PLAIN},
        model=codec.model_config(stored["model_json"]),
        embedding=codec.optional(codec.embedding_config, stored["embedding_json"]),
        compaction=codec.compaction_settings(stored["compaction_json"]),
        metadata=codec.loads_object(stored["metadata_json"]),
        tool_rules=tuple(codec.loads(stored["tool_rules_json"])),
        call_policies=codec.optional(codec.call_policies, stored["call_policies_json"]),
        tags=tuple(sorted(codec.loads(row[-1]) or ())),
        has_folders=bool(row[-2]),
        message_buffer_autoclear=bool(stored["message_buffer_autoclear"]),
        enable_sleeptime=codec.truth(stored["enable_sleeptime"]),
        response_format=codec.loads_object(stored["response_format_json"]),
        hidden=codec.truth(stored["hidden"]),
        last_run_completion=optional_time(stored["last_run_completion"]),
        created_at=from_micros(stored["created_at"]),
        updated_at=from_micros(stored["updated_at"]),
    )


def _values(agent: Agent) -> tuple[Value, ...]:
    """Return the values of `_FIELDS`, in their order."""
    made: dict[str, Value] = {
        "model_json": codec.encode(agent.model),
        "embedding_json": codec.optional_json(agent.embedding),
        "compaction_json": codec.encode(agent.compaction),
        "metadata_json": codec.optional_json(agent.metadata),
        "tool_rules_json": codec.encode(agent.tool_rules),
        "call_policies_json": codec.optional_json(agent.call_policies),
        "message_buffer_autoclear": int(agent.message_buffer_autoclear),
        "enable_sleeptime": codec.flag(agent.enable_sleeptime),
        "response_format_json": codec.optional_json(agent.response_format),
        "hidden": codec.flag(agent.hidden),
        "last_run_completion": optional_micros(agent.last_run_completion),
        "created_at": to_micros(agent.created_at),
        "updated_at": to_micros(agent.updated_at),
    }
    return tuple(made[name] if name in made else getattr(agent, name) for name in _FIELDS)
