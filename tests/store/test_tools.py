"""Tools as stored: one a name, built-in ones kept current, attached in order."""

from dataclasses import replace

import pytest

from eunoe import ids
from eunoe.errors import ToolNameTaken
from eunoe.store import agents, tools
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.paging import Page
from eunoe.store.tools import ToolFilter
from tests.store.samples import full_tool, plain_agent, plain_tool

pytestmark = pytest.mark.anyio

ACTOR = Actor()
STRANGER = Actor(organization_id="org-other")


async def test_a_tool_comes_back_as_it_was(database: Database) -> None:
    full, plain = full_tool(), plain_tool("plain")
    async with database.write(ACTOR) as tx:
        assert await tools.upsert(tx, full) == full
        assert await tools.upsert(tx, plain) == plain
    async with database.read(ACTOR) as tx:
        assert await tools.get(tx, full.id) == full
        assert await tools.get(tx, "tool-none") is None
        assert await tools.by_ids(tx, [plain.id, "tool-none"]) == {plain.id: plain}
        assert await tools.by_names(tx, ["everything", "none"]) == {"everything": full}


@pytest.mark.rule("api-13.2")
async def test_a_name_keeps_its_id(database: Database) -> None:
    first = plain_tool("do")
    again = replace(full_tool(), name="do")
    async with database.write(ACTOR) as tx:
        await tools.upsert(tx, first)
        kept = await tools.upsert(tx, again)
        assert kept == replace(again, id=first.id, created_by_id=None)
        assert await tools.by_names(tx, ["do"]) == {"do": kept}
    async with database.write(STRANGER) as tx:
        assert (await tools.upsert(tx, plain_tool("do"))).id != first.id


async def test_a_stranger_sees_and_changes_nothing(database: Database) -> None:
    tool, agent = plain_tool("do"), plain_agent()
    async with database.write(ACTOR) as tx:
        await tools.upsert(tx, tool)
        await agents.insert(tx, agent)
        await tools.attach(tx, agent.id, [tool.id])
    async with database.write(STRANGER) as tx:
        assert await tools.get(tx, tool.id) is None
        assert await tools.by_names(tx, ["do"]) == {}
        assert await tools.of_agents(tx, [agent.id]) == {agent.id: []}
        assert await tools.list_tools(tx, ToolFilter(), Page()) == []
        assert await tools.attach(tx, agent.id, [tool.id]) == 0
        assert await tools.detach(tx, agent.id, [tool.id]) == 0
        assert not await tools.update(tx, replace(tool, description="mine"))
        assert not await tools.delete(tx, tool.id)
    async with database.read(ACTOR) as tx:
        assert await tools.of_agents(tx, [agent.id]) == {agent.id: [tool]}


@pytest.mark.rule("api-13.4")
async def test_a_tool_is_changed_and_renamed_but_not_onto_another(database: Database) -> None:
    tool, other = plain_tool("do"), plain_tool("other")
    async with database.write(ACTOR) as tx:
        await tools.upsert(tx, tool)
        await tools.upsert(tx, other)
        changed = replace(full_tool(), id=tool.id, name="renamed", created_by_id=None)
        assert await tools.update(tx, changed)
        assert await tools.get(tx, tool.id) == changed
        assert not await tools.update(tx, plain_tool("unknown"))
    with pytest.raises(ToolNameTaken):
        async with database.write(ACTOR) as tx:
            await tools.update(tx, replace(changed, name="other"))


async def test_seeding_writes_only_what_changed(database: Database) -> None:
    built_in = [plain_tool(f"core_{n}", tool_type="letta_core") for n in range(5)]
    async with database.write(ACTOR) as tx:
        await tools.seed(tx, built_in)
        assert tx.statements == 6
    newer = [replace(tool, id=ids.new("tool")) for tool in built_in]
    async with database.write(ACTOR) as tx:
        await tools.seed(tx, newer)
        assert tx.statements == 1
    newer[2] = replace(newer[2], description="Better now.")
    async with database.write(ACTOR) as tx:
        await tools.seed(tx, newer)
        assert tx.statements == 2
        kept = await tools.by_names(tx, ["core_2"])
        assert kept["core_2"] == replace(newer[2], id=built_in[2].id)


@pytest.mark.rule("api-13.4")
async def test_seeding_keeps_what_a_person_said(database: Database) -> None:
    built_in = plain_tool("core", tool_type="letta_core")
    newer = replace(built_in, id=ids.new("tool"), description="Better now.", parallel=True)
    said = {"tags": ("mine",), "return_char_limit": 9, "default_requires_approval": True}
    async with database.write(ACTOR) as tx:
        await tools.seed(tx, [built_in])
        assert await tools.update(
            tx, replace(built_in, description="Mine.", last_updated_by_id="user-1", **said)
        )
        await tools.seed(tx, [newer])
        kept = (await tools.by_names(tx, ["core"]))["core"]
        assert kept == replace(newer, id=built_in.id, last_updated_by_id="user-1", **said)
        statements = tx.statements
        await tools.seed(tx, [newer])
        assert tx.statements == statements + 1


async def test_attaching_keeps_the_order_and_is_done_once(database: Database) -> None:
    agent = plain_agent()
    first, second, third = (plain_tool(name) for name in "zam")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        for tool in (first, second, third):
            await tools.upsert(tx, tool)
        assert await tools.attach(tx, agent.id, [first.id, second.id]) == 2
        assert await tools.attach(tx, agent.id, [first.id, third.id, "tool-none"]) == 1
        assert await tools.of_agents(tx, [agent.id, "agent-none"]) == {
            agent.id: [first, second, third],
            "agent-none": [],
        }
        assert await tools.detach(tx, agent.id, [first.id, "tool-none"]) == 1
        assert await tools.delete(tx, second.id)
        assert not await tools.delete(tx, second.id)
        assert await tools.of_agents(tx, [agent.id]) == {agent.id: [third]}


@pytest.mark.rule("api-13.3")
async def test_tools_are_found_by_each_filter(database: Database) -> None:
    core = plain_tool("core_one", tool_type="letta_core", tags=("a",))
    builtin = plain_tool("web", tool_type="letta_builtin")
    mine = replace(plain_tool("mine", tags=("a", "b")), project_id="p")
    theirs = replace(plain_tool("theirs"), project_id="q")
    remote = plain_tool("remote", tool_type="external_mcp")
    agent = plain_agent()
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        for tool in (core, builtin, mine, theirs, remote):
            await tools.upsert(tx, tool)
        await tools.attach(tx, agent.id, [builtin.id])
    cases: list[tuple[ToolFilter, set[str]]] = [
        (ToolFilter(), {"core_one", "web", "mine", "theirs", "remote"}),
        (ToolFilter(name="web"), {"web"}),
        (ToolFilter(names=("web", "mine", "none")), {"web", "mine"}),
        (ToolFilter(tool_ids=(core.id,)), {"core_one"}),
        (ToolFilter(search="ONE"), {"core_one"}),
        (ToolFilter(tool_types=("custom", "letta_core")), {"core_one", "mine", "theirs"}),
        (ToolFilter(exclude_tool_types=("custom",)), {"core_one", "web", "remote"}),
        (ToolFilter(letta_only=True), {"core_one", "web"}),
        (ToolFilter(letta_only=False), {"mine", "theirs", "remote"}),
        (ToolFilter(tags=("a",)), {"core_one", "mine"}),
        (ToolFilter(tags=("b", "c")), {"mine"}),
        (ToolFilter(project_id="p"), {"core_one", "web", "mine", "remote"}),
        (ToolFilter(agent_id=agent.id), {"web"}),
    ]
    async with database.read(ACTOR) as tx:
        for where, expected in cases:
            assert await found(tx, where) == expected, where


async def found(tx: Tx, where: ToolFilter) -> set[str]:
    shown = await tools.list_tools(tx, where, Page())
    assert await tools.count(tx, where) == len(shown)
    return {tool.name for tool in shown}
