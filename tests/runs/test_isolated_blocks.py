"""A conversation's own copies of blocks, under the tools that edit memory."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block, overlaid
from eunoe.domain.conversations import Conversation
from eunoe.domain.edits import BlockEdit
from eunoe.domain.messages import Json, ToolCall, ToolReturn
from eunoe.domain.runs import Run
from eunoe.engine.ports import Settled
from eunoe.errors import BlockExists
from eunoe.runs import memory
from eunoe.store import agents, blocks, conversations, isolated_blocks
from eunoe.store.db import Actor, Database
from tests.store.samples import at, plain_agent, plain_block

pytestmark = pytest.mark.anyio

ACTOR = Actor()


async def talking(database: Database) -> tuple[Agent, Conversation, Block]:
    """Return an agent with the blocks `human` and `team`, and a conversation that has its own `human`."""
    agent = plain_agent()
    talk = Conversation(
        id=ids.new("conversation"), agent_id=agent.id, created_at=at(0), updated_at=at(0)
    )
    copy = plain_block("human", value="Name: Kim")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        for label in ("human", "team"):
            block = plain_block(label, value="shared")
            await blocks.insert(tx, block)
            await blocks.attach(tx, agent.id, block)
        await conversations.insert(tx, talk)
        await isolated_blocks.insert(tx, talk.id, [copy])
    return agent, talk, copy


async def edited(
    database: Database, agent: Agent, talk: Conversation | None, tool: str, **arguments: str
) -> tuple[ToolReturn, dict[str, str]]:
    """Let the tool do it in the conversation; return what it says and all labels with values."""
    conversation_id = None if talk is None else talk.id
    run = Run(
        id=ids.new("run"),
        agent_id=agent.id,
        list_id=conversation_id or agent.id,
        conversation_id=conversation_id,
        created_at=datetime.now(UTC),
    )
    given: Json = dict(arguments)
    call = ToolCall(id="call-1", name=tool, arguments="{}")
    one = Settled(call=call, outcome=BlockEdit(tool=tool, arguments=given))
    source = memory.Source(agent=agent, run=run, step_id=None, now=at(1))
    async with database.write(ACTOR) as tx:
        (returned,), seen = await memory.settle(tx, [one], source=source)
    return returned, {block.label: block.value for block in seen or ()}


@pytest.mark.rule("M8", "G-24")
@pytest.mark.parametrize(
    "arguments",
    [
        {"command": "delete", "path": "/memories/human"},
        {"command": "rename", "old_path": "/memories/human", "new_path": "/memories/man"},
    ],
    ids=["delete", "rename"],
)
async def test_a_copy_stays_under_its_label_as_long_as_its_conversation(
    database: Database, arguments: dict[str, str]
) -> None:
    agent, talk, _ = await talking(database)
    returned, seen = await edited(database, agent, talk, "memory", **arguments)
    assert not returned.ok
    assert "conversation" in str(returned.output)
    assert seen == {"human": "Name: Kim", "team": "shared"}


@pytest.mark.rule("M8")
async def test_what_is_no_copy_is_edited_for_everybody(database: Database) -> None:
    agent, talk, copy = await talking(database)
    path = "/memories/team"
    _, seen = await edited(database, agent, talk, "memory", command="delete", path=path)
    assert seen == {"human": "Name: Kim"}
    append = {"label": "human", "content": "Likes tea."}
    _, seen = await edited(database, agent, None, "core_memory_append", **append)
    assert seen == {"human": "shared\nLikes tea."}
    async with database.read(ACTOR) as tx:
        assert await blocks.get(tx, copy.id) == copy


@pytest.mark.rule("L10", "api-11.6")
async def test_a_copy_is_seen_until_it_is_deleted_and_its_label_is_its_own(
    database: Database,
) -> None:
    agent, talk, copy = await talking(database)
    other = plain_block("tea")
    async with database.write(ACTOR) as tx:
        assert await isolated_blocks.ids(tx, [talk.id, "none"]) == {talk.id: [copy.id], "none": []}
        await blocks.delete(tx, copy.id)
        seen = await isolated_blocks.seen(tx, agent.id, conversation_id=talk.id)
        assert [block.value for block in seen] == ["shared", "shared"]
        await isolated_blocks.insert(tx, talk.id, [other, plain_block("cocoa")])
    with pytest.raises(BlockExists):
        async with database.write(ACTOR) as tx:
            await isolated_blocks.relabel(tx, replace(other, label="cocoa"))


@pytest.mark.rule("L10")
def test_a_copy_whose_block_is_gone_stands_last() -> None:
    shared = [plain_block("a"), plain_block("b")]
    copies = [plain_block("z"), plain_block("a")]
    assert overlaid(shared, copies) == (copies[1], shared[1], copies[0])
