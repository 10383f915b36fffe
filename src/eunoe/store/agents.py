"""Queries on agents: the row, its tags, and what goes with it when it goes."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from eunoe.domain.agents import Agent, AgentType
from eunoe.store import codec, own
from eunoe.store.db import Dialect, Tx, among, unindexed
from eunoe.store.mapping import CHANGED, FLAG, LIST, OBJECT, TIME, Mapped, elsewhere, json, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where, of_organization


def _mapped(tags: str) -> Mapped[Agent]:
    """Map agents; `tags` is SQL that gathers an agent's as JSON."""
    return mapped(
        Agent,
        "agents",
        noun="agent",
        kept={
            **CHANGED,
            "model": json(codec.model_config),
            "embedding": json(codec.embedding_config),
            "compaction": json(codec.compaction_settings),
            "metadata": OBJECT,
            "tags": elsewhere(
                f"(SELECT COALESCE({tags}, '[]') FROM agent_tags WHERE agent_id = agents.id)",
                lambda text: tuple(sorted(codec.loads(text))),
            ),
            "tool_rules": LIST,
            "call_policies": json(codec.call_policies),
            "message_buffer_autoclear": FLAG,
            "enable_sleeptime": FLAG,
            "response_format": OBJECT,
            "hidden": FLAG,
            "last_run_completion": TIME,
            "has_folders": elsewhere(
                "EXISTS (SELECT 1 FROM agents_folders WHERE agents_folders.agent_id = agents.id)",
                bool,
            ),
        },
        orders={"created_at": False, "updated_at": False, "last_run_completion": True},
    )


MAPPINGS: Final[dict[Dialect, Mapped[Agent]]] = {
    "sqlite": _mapped("json_group_array(tag)"),
    "postgresql": _mapped("json_agg(tag)::text"),
}
# Written by `runs.end`: a PATCH beside it that says nothing of them would put old values back.
_LAST_RUN: Final = ("last_stop_reason", "last_run_completion", "last_run_duration_ms")


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
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] = ()
    show_hidden: bool = False


async def insert(tx: Tx, agent: Agent) -> None:
    await own.insert(tx, MAPPINGS[tx.dialect], agent)
    await _insert_tags(tx, agent)


async def get(tx: Tx, agent_id: str, *, held: bool = False) -> Agent | None:
    """Return an agent with its tags, in one statement.

    `held` keeps others from changing it until the commit: ask for it before an `update`.
    """
    return await own.get(tx, MAPPINGS[tx.dialect], agent_id, held=held)


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
    found = await own.many(tx, MAPPINGS[tx.dialect], agent_ids)
    return {agent.id: agent for agent in found}


async def update(tx: Tx, agent: Agent, *, also: Container[str] = ()) -> bool:
    """Replace the row and the tags; whether there is such an agent.

    What its last run left is kept, save for the columns that `also` names.
    """
    kept = [name for name in _LAST_RUN if name not in also]
    if not await own.update(tx, MAPPINGS[tx.dialect], agent, but=kept):
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
    """Return a page of agents with their tags, in the page's order, in at most two statements."""
    return await own.page(tx, MAPPINGS[tx.dialect], _where(tx, where), page)


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
            [(agent.id, codec.findable(tag)) for tag in agent.tags],
        )
