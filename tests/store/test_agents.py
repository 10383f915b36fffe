"""Agents as stored: whole, tagged, scoped to their organization, deleted with what is theirs."""

import asyncio
from dataclasses import replace

import pytest

from eunoe import ids
from eunoe.domain.conversations import Conversation
from eunoe.domain.messages import Message, Text
from eunoe.store import agents, archives, blocks, conversations, lists, tools
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.paging import Page
from tests.store.samples import at, full_agent, plain_agent, plain_archive, plain_block, plain_tool

pytestmark = pytest.mark.anyio

ACTOR = Actor()
STRANGER = Actor(organization_id="org-other")


async def named(tx: Tx, where: AgentFilter) -> set[str]:
    found = {agent.name for agent in await agents.list_agents(tx, where, Page())}
    assert await agents.count(tx, where) == len(found)
    return found


async def test_an_agent_comes_back_as_it_was(database: Database) -> None:
    full, plain = full_agent(), plain_agent()
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, full)
        await agents.insert(tx, plain)
    async with database.read(ACTOR) as tx:
        assert await agents.get(tx, full.id) == full
        assert await agents.get(tx, plain.id) == plain
        assert tx.statements == 2
        assert await agents.many(tx, [plain.id, full.id, "agent-none"]) == {
            plain.id: plain,
            full.id: full,
        }
        assert tx.statements == 3
        assert await agents.type_of(tx, full.id) == "memgpt_v2_agent"
        assert await agents.get(tx, ids.new("agent")) is None
        assert await agents.type_of(tx, ids.new("agent")) is None
        assert await agents.many(tx, []) == {}


async def test_a_stranger_sees_and_changes_nothing(database: Database) -> None:
    agent = plain_agent(tags=("a",))
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
    async with database.write(STRANGER) as tx:
        assert await agents.get(tx, agent.id) is None
        assert await agents.type_of(tx, agent.id) is None
        assert await agents.many(tx, [agent.id]) == {}
        assert await agents.list_agents(tx, AgentFilter(), Page()) == []
        assert await agents.count(tx, AgentFilter()) == 0
        assert not await agents.update(tx, replace(agent, name="Mine", tags=()))
        assert not await agents.delete(tx, agent.id)
    async with database.read(ACTOR) as tx:
        assert await agents.get(tx, agent.id) == agent


async def test_an_update_replaces_the_row_and_the_tags(database: Database) -> None:
    agent = plain_agent(tags=("a", "b"))
    full = full_agent()
    changed = replace(
        full,
        id=agent.id,
        tags=("b", "c"),
        last_stop_reason=None,
        last_run_completion=None,
        last_run_duration_ms=None,
    )
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        held = await agents.get(tx, agent.id, held=True)
        assert held == agent
        assert await agents.update(tx, changed)
        assert await agents.get(tx, agent.id) == changed
        assert not await agents.update(tx, plain_agent())


async def test_an_update_leaves_what_a_run_noted_meanwhile(database: Database) -> None:
    agent = plain_agent()
    async with database.write(ACTOR) as tx:
        noted = replace(
            agent, last_stop_reason="max_steps", last_run_completion=at(8), last_run_duration_ms=42
        )
        await agents.insert(tx, noted)
        await agents.update(tx, replace(agent, name="Renamed"))
        found = await agents.get(tx, agent.id)
    assert found == replace(
        agent,
        name="Renamed",
        last_stop_reason="max_steps",
        last_run_completion=at(8),
        last_run_duration_ms=42,
    )


async def test_held_agents_are_changed_one_after_another(database: Database) -> None:
    agent = plain_agent(name="")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)

    async def append(letter: str) -> None:
        async with database.write(ACTOR) as tx:
            found = await agents.get(tx, agent.id, held=True)
            assert found is not None
            await asyncio.sleep(0)
            await agents.update(tx, replace(found, name=found.name + letter))

    await asyncio.gather(*(append(letter) for letter in "abcdef"))
    async with database.read(ACTOR) as tx:
        found = await agents.get(tx, agent.id)
    assert found is not None
    assert sorted(found.name) == list("abcdef")


@pytest.mark.rule("api-6.4")
async def test_agents_are_found_by_each_filter(database: Database) -> None:
    ada = replace(plain_agent("Ada Lovelace", tags=("x", "y")), project_id="p")
    zoe = replace(plain_agent("ZOË", tags=("y",), minute=1), template_id="t", created_by_id="u")
    max_ = replace(plain_agent("Max", minute=2), base_template_id="b", last_stop_reason="error")
    hidden = replace(plain_agent("Hidden", tags=("x",), minute=3), hidden=True)
    block, archive = plain_block(), plain_archive()
    async with database.write(ACTOR) as tx:
        for agent in (ada, zoe, max_, hidden):
            await agents.insert(tx, agent)
        await blocks.insert(tx, block)
        await blocks.attach(tx, ada.id, block)
        await archives.insert(tx, archive)
        await archives.attach(tx, zoe.id, archive.id)
    cases: list[tuple[AgentFilter, set[str]]] = [
        (AgentFilter(), {"Ada Lovelace", "ZOË", "Max"}),
        (AgentFilter(show_hidden=True), {"Ada Lovelace", "ZOË", "Max", "Hidden"}),
        (AgentFilter(name="Max"), {"Max"}),
        (AgentFilter(name="max"), set()),
        (AgentFilter(query_text="LOVE"), {"Ada Lovelace"}),
        (AgentFilter(query_text="zoë"), {"ZOË"}),
        (AgentFilter(query_text="%"), set()),
        (AgentFilter(tags=("x", "y")), {"Ada Lovelace", "ZOË"}),
        (AgentFilter(tags=("x", "y", "y"), match_all_tags=True), {"Ada Lovelace"}),
        (AgentFilter(tags=("x",), show_hidden=True), {"Ada Lovelace", "Hidden"}),
        (AgentFilter(project_id="p"), {"Ada Lovelace"}),
        (AgentFilter(template_id="t"), {"ZOË"}),
        (AgentFilter(created_by_id="u"), {"ZOË"}),
        (AgentFilter(base_template_id="b"), {"Max"}),
        (AgentFilter(last_stop_reason="error"), {"Max"}),
        (AgentFilter(block_id=block.id), {"Ada Lovelace"}),
        (AgentFilter(archive_id=archive.id), {"ZOË"}),
        (AgentFilter(tags=("y",), template_id="t", query_text="Z"), {"ZOË"}),
    ]
    async with database.read(ACTOR) as tx:
        for where, expected in cases:
            assert await named(tx, where) == expected, where


@pytest.mark.rule("api-6.45")
async def test_what_is_an_agents_own_goes_with_it_and_the_rest_stays(database: Database) -> None:
    agent, other = plain_agent(tags=("a",)), plain_agent("Other")
    block, archive, tool = plain_block(), plain_archive(), plain_tool("do")
    talk = Conversation(
        id=ids.new("conversation"), agent_id=agent.id, created_at=at(0), updated_at=at(0)
    )
    async with database.write(ACTOR) as tx:
        for one in (agent, other):
            await agents.insert(tx, one)
            await lists.create(tx, one.id)
            await lists.append(tx, one.id, [_said(one.id)])
        await conversations.insert(tx, talk)
        await lists.create(tx, talk.id)
        await lists.append(tx, talk.id, [replace(_said(agent.id), conversation_id=talk.id)])
        await blocks.insert(tx, block)
        await blocks.attach(tx, agent.id, block)
        await archives.insert(tx, archive)
        await archives.attach(tx, agent.id, archive.id)
        tool = await tools.upsert(tx, tool)
        await tools.attach(tx, agent.id, [tool.id])
        assert await agents.delete(tx, agent.id)
        assert not await agents.delete(tx, agent.id)
    async with database.read(ACTOR) as tx:
        assert await blocks.get(tx, block.id) is not None
        assert await archives.get(tx, archive.id) is not None
        assert await tools.get(tx, tool.id) is not None
        assert await conversations.get(tx, talk.id) is None
        where = AgentFilter(block_id=block.id)
        assert await agents.list_agents(tx, where, Page()) == []
        for table, rows in (("messages", 1), ("list_entries", 1), ("agent_tags", 0)):
            assert await tx.fetch_value(f"SELECT COUNT(*) FROM {table}") == rows  # noqa: S608 -- names of ours
        assert await tx.fetch("SELECT id FROM message_lists") == [(other.id,)]
        for table in ("agents_blocks", "agents_tools", "agents_archives"):
            assert await tx.fetch_value(f"SELECT COUNT(*) FROM {table}") == 0  # noqa: S608 -- names of ours


def _said(agent_id: str) -> Message:
    return Message(
        id=ids.new("message"),
        role="user",
        agent_id=agent_id,
        created_at=at(0),
        content=(Text(text="Hello"),),
    )
