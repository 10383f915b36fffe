"""Blocks that an agent changes only with a person's consent, through the official client."""

import json
from typing import Any

import pytest
from letta_client import AsyncLetta

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.edits import BlockEdit, Change, StateWrite
from eunoe.domain.guards import changes_guarded
from eunoe.domain.messages import ToolCall
from eunoe.domain.tools import ToolResult
from eunoe.engine.ports import Settled
from eunoe.runs import memory
from tests.contract.reading import heard, parts_of
from tests.http.approving import answered, asked, ids_of, listed, waits, yes
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


def append(text: str, label: str = "human") -> dict[str, Any]:
    return {"name": "core_memory_append", "arguments": {"label": label, "content": text}}


def spoken(*calls: dict[str, Any]) -> str:
    return f"CALLS {json.dumps(calls)}"


async def guarded_agent(world: World, strict: AsyncLetta) -> tuple[Agent, Any]:
    """Return an agent with a block `human` that asks, and `notes` that does not."""
    agent = await world.agent()
    block = await strict.agents.blocks.retrieve("human", agent_id=agent.id)
    changed = await strict.blocks.update(block.id, extra_body={"approve_writes": True})
    assert changed.model_dump()["approve_writes"] is True
    notes = await strict.blocks.create(label="notes", value="")
    await strict.agents.blocks.attach(notes.id, agent_id=agent.id)
    return agent, block


async def value(strict: AsyncLetta, agent: Agent, label: str = "human") -> str:
    return (await strict.agents.blocks.retrieve(label, agent_id=agent.id)).value


@pytest.mark.rule("H1", "H2", "H13", "H14", "M4")
@pytest.mark.parametrize("approve", [True, False])
async def test_an_edit_of_a_guarded_block_waits_for_a_person(
    world: World, strict: AsyncLetta, *, approve: bool
) -> None:
    agent, block = await guarded_agent(world, strict)
    request = await asked(strict, agent, spoken(append("Tea.")))
    assert (await value(strict, agent), (await waits(strict, agent)).id) == (
        "Name: Bob",
        request.id,
    )
    await answered(strict, agent, [yes(one, approve=approve) for one in ids_of(request)])
    assert await value(strict, agent) == ("Name: Bob\nTea." if approve else "Name: Bob")
    path: Any = f"/v1/blocks/{block.id}/history"
    told = (await strict.get(path, cast_to=list[Any]))[-1]
    assert (told["agent_id"] == agent.id) is approve
    if approve:
        assert told["run_id"].startswith("run-")
        assert told["step_id"].startswith("step-")
        assert told["message_id"] == request.id


@pytest.mark.rule("H1", "H4", "streaming-2.5")
@pytest.mark.parametrize("tokens", [True, False])
async def test_only_the_calls_that_touch_it_wait_and_are_streamed_as_listed(
    world: World, strict: AsyncLetta, *, tokens: bool
) -> None:
    agent, _ = await guarded_agent(world, strict)
    stream = await strict.agents.messages.create(
        agent.id,
        input=spoken(append("one", "notes"), append("two")),
        streaming=True,
        stream_tokens=tokens,
    )
    got = heard([event async for event in stream])
    assert got.kinds == [
        "ping",
        "tool_call_message",
        "approval_request_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert got.parts == parts_of(await listed(strict, agent))
    request = await waits(strict, agent)
    assert len(ids_of(request)) == 1
    await answered(strict, agent, [yes(one) for one in ids_of(request)])
    assert await value(strict, agent, "notes") == "\none"
    assert await value(strict, agent) == "Name: Bob\ntwo"
    free = await strict.agents.messages.create(agent.id, input=spoken(append("more", "notes")))
    assert free.stop_reason.stop_reason == "end_turn"


@pytest.mark.rule("M4", "M5", "X27")
@pytest.mark.parametrize("approved", [True, False])
async def test_what_nobody_was_asked_about_is_refused_where_it_would_be_stored(
    world: World, strict: AsyncLetta, *, approved: bool
) -> None:
    """A program's change of its memory, or an edit that became one while the model spoke."""
    agent, _ = await guarded_agent(world, strict)
    ran = ToolResult(ok=True, output="done")
    outcomes = (
        BlockEdit(tool="core_memory_append", arguments={"label": "human", "content": "Tea."}),
        StateWrite(
            result=ran,
            changes={"human": Change(before="Name: Bob\nTea." * approved, after="Cake.")},
        ),
    )
    settled = [
        Settled(
            call=ToolCall(id=f"c{at}", name="x", arguments="{}"), outcome=one, approved=approved
        )
        for at, one in enumerate(outcomes)
    ]
    source = memory.Source(agent=agent, run=None, step_id=None, now=agent.created_at)
    async with world.db.write(ACTOR) as tx:
        returns, _ = await memory.settle(tx, settled, source=source)
    assert [one.ok for one in returns] == [approved, approved]
    assert await value(strict, agent) == ("Cake." if approved else "Name: Bob")


@pytest.mark.rule("H1", "M16")
def test_which_calls_wait_follows_from_what_they_would_do() -> None:
    human = Block(id="b1", label="human", value="a", approve_writes=True)
    notes = Block(id="b2", label="notes", value="a")

    def named(*calls: tuple[str, dict[str, Any]]) -> list[int]:
        made = [ToolCall(id="c", name=name, arguments=json.dumps(given)) for name, given in calls]
        return [at for at, one in enumerate(made) if changes_guarded(one, (human, notes))]

    def edit(label: str, old: str = "a") -> tuple[str, dict[str, Any]]:
        return ("memory_replace", {"label": label, "old_string": old, "new_string": "b"})

    assert named(edit("notes"), edit("human"), edit("human", "absent")) == [1]
    assert named(("memory", {"command": "delete", "path": "/memories/human"})) == [0]
    assert named(("memory", {"command": "rename", "old_path": "human", "new_path": "x"})) == [0]
    patch = "*** Update Block: human\n-a\n+b"
    assert named(("memory_apply_patch", {"label": "notes", "patch": patch})) == [0]
    created = {"command": "create", "path": "/x", "description": "d", "file_text": "a"}
    assert named(("memory", created), edit("x")) == []
    rename = {"command": "rename", "old_path": "human", "new_path": "me"}
    assert named(("memory", rename), edit("me"), ("memory_finish_edits", {})) == [0]
