"""What does not fit together is found on either engine, and mended where it can be."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.messages import Message, Text, ToolCall, ToolReturn
from eunoe.domain.models import EmbeddingConfig
from eunoe.domain.passages import Archive, Passage
from eunoe.store import agents, archives, block_versions, blocks, lists, passages, search
from eunoe.store.db import Actor, Database
from eunoe.store.verify import verify
from tests.store.samples import plain_agent, plain_block

pytestmark = [pytest.mark.anyio, pytest.mark.rule("G-2")]

ACTOR = Actor()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(agent: Agent, role: str, **more: object) -> Message:
    message = Message(
        id=ids.new("message"), role="user", agent_id=agent.id, created_at=NOW, step_id="step-1"
    )
    return replace(message, role=role, **more)


def call(call_id: str) -> ToolCall:
    return ToolCall(id=call_id, name="count", arguments="{}")


def returned(call_id: str) -> ToolReturn:
    return ToolReturn(call_id=call_id, name="count", ok=True, output="1", time="now")


async def talking(database: Database, *messages: tuple[str, dict[str, object]]) -> Agent:
    """Store an agent that has said these messages after its system message."""
    agent = plain_agent()
    told = [said(agent, "system"), *(said(agent, role, **more) for role, more in messages)]
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        await lists.create(tx, agent.id)
        await search.index_messages(tx, told, await lists.append(tx, agent.id, told))
    return agent


async def codes(database: Database, *, repair: bool = False) -> list[tuple[str, bool]]:
    return [(one.code, one.mended is not None) for one in await verify(database, repair=repair)]


async def test_calls_that_nothing_came_of_get_a_return_behind_them(database: Database) -> None:
    agent = await talking(
        database,
        ("assistant", {"calls": (call("a"), call("b"))}),
        ("tool", {"returns": (returned("a"),)}),
        ("user", {"content": (Text(text="Go on."),)}),
        ("assistant", {"calls": (call("a"),)}),
    )
    assert await codes(database) == [("calls_unpaired", False)]
    assert await codes(database, repair=True) == [("calls_unpaired", True)]
    assert await codes(database) == []
    async with database.read(ACTOR) as tx:
        window = await lists.window(tx, agent.id)
    assert [one.role for one in window] == [
        "system",
        "assistant",
        "tool",
        "tool",
        "user",
        "assistant",
        "tool",
    ]
    assert [[r.call_id for r in one.returns] for one in window if one.returns] == [
        ["b"],
        ["a"],
        ["a"],
    ]
    assert "unknown" in str(window[2].returns[0].output)


async def test_calls_that_wait_for_a_person_are_in_order(database: Database) -> None:
    await talking(
        database,
        ("assistant", {"calls": (call("a"),)}),
        ("approval", {"calls": (call("b"),), "order": ("a", "b")}),
    )
    assert await codes(database) == []


async def test_calls_of_a_run_that_is_at_work_are_left_to_it(database: Database) -> None:
    agent = await talking(database, ("assistant", {"calls": (call("a"),)}))
    async with database.write(ACTOR) as tx:
        await tx.execute(
            "INSERT INTO runs (id, organization_id, agent_id, list_id, status, background,"
            " options_json, metadata_json, usage_json, step_count, fence, cancel_requested,"
            " created_at) VALUES ('run-1', $1, $2, $2, 'running', 0, '{}', '{}', '{}', 0, 1, 0, 0)",
            ACTOR.organization_id,
            agent.id,
        )
    assert await codes(database, repair=True) == []


async def test_a_block_that_its_history_does_not_know_is_written_down(database: Database) -> None:
    block, lost = plain_block(label="notes", value="one"), plain_block(label="lost")
    agent = await talking(database)
    async with database.write(ACTOR) as tx:
        for one in (block, lost):
            await blocks.insert(tx, one)
        await blocks.attach(tx, agent.id, block)
        await tx.execute("UPDATE blocks SET value = 'two', label = 'x' WHERE id = $1", block.id)
        await tx.execute("DELETE FROM block_versions WHERE block_id = $1", lost.id)
    found = [("version_missing", False)] * 2 + [("label_differs", False)]
    assert await codes(database) == found
    assert await codes(database, repair=True) == [(code, True) for code, _ in found]
    assert await codes(database) == []
    async with database.read(ACTOR) as tx:
        told = await block_versions.of(tx, [block.id])
        kept = await blocks.by_label(tx, agent.id, "x")
    assert [(one.version, one.value) for one in told] == [(1, "one"), (2, "two")]
    assert kept is not None
    assert kept.version == 2


async def test_a_list_out_of_order_is_told(database: Database) -> None:
    agent = await talking(database, ("user", {}))
    async with database.write(ACTOR) as tx:
        await tx.execute("INSERT INTO message_lists (id, version) VALUES ('conv-gone', 1)")
        await tx.execute(
            "UPDATE list_entries SET position = 99999999 WHERE position ="
            " (SELECT MIN(position) FROM list_entries WHERE list_id = $1)",
            agent.id,
        )
    assert sorted(await codes(database, repair=True)) == [
        ("list_headless", False),
        ("list_ownerless", False),
        ("order_broken", False),
    ]


async def test_vectors_without_a_code_are_made_anew(database: Database) -> None:
    if database.dialect != "sqlite":
        return  # Foreign keys keep them together there.
    embedding = EmbeddingConfig(handle="e/1", model="1", dimensions=2, provider_type="openai")
    archive = Archive(id=ids.new("archive"), name="a", embedding=embedding, created_at=NOW)
    made = [
        Passage(
            id=ids.new("passage"),
            archive_id=archive.id,
            text=text,
            vector=(1.0, 0.0),
            embedding=embedding,
            created_at=NOW,
        )
        for text in ("one", "two")
    ]
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, archive)
        first, second = await passages.insert(tx, made)
        await tx.execute("DELETE FROM passage_codes WHERE seq = $1", first)
        await tx.execute("UPDATE passage_codes SET seq = 9999 WHERE seq = $1", second)
    assert await codes(database, repair=True) == [
        ("code_missing", True),
        ("code_missing", True),
        ("code_orphaned", True),
    ]
    assert await codes(database) == []
    async with database.read(ACTOR) as tx:
        assert await tx.fetch("SELECT seq FROM passages WHERE embedder IS NOT NULL") == []
