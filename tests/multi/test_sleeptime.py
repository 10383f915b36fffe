"""An agent whose memory another one looks after in the background."""

from typing import Any

import httpx
import pytest
from letta_client import APIStatusError
from letta_client.types import AgentState

from eunoe.domain.messages import Json
from eunoe.http.routes import runs
from eunoe.runs.followups import FollowUps
from eunoe.store import followups
from eunoe.store.db import Actor
from tests.fixtures.apis import names
from tests.multi.conftest import Served, asked, eventually

pytestmark = pytest.mark.anyio

EDIT = 'LATER memory_replace {"label": "human", "old_string": "Bob", "new_string": "Rob"}'


async def pair(served: Served, **fields: Any) -> tuple[AgentState, AgentState]:
    """Return an agent and the one that looks after its memory."""
    blocks = [{"label": "human", "value": "Name: Bob"}]
    main = await served.agent(enable_sleeptime=True, memory_blocks=blocks, **fields)
    main = await served.letta.agents.retrieve(main.id, include=["agent.managed_group"])
    assert main.managed_group is not None
    (partner_id,) = main.managed_group.agent_ids
    include: Any = ["agent.blocks", "agent.tools"]
    return main, await served.letta.agents.retrieve(partner_id, include=include)


async def follow_ups(served: Served, partner: AgentState) -> list[Any]:
    return (await served.letta.runs.list(agent_id=partner.id, order="asc")).items


async def transcripts(served: Served, partner: AgentState) -> list[str]:
    """Return what the sleeptime agent was given to read, the oldest first."""
    listed: list[Json] = await served.got(f"/v1/agents/{partner.id}/messages", limit=100)
    return [one["content"] for one in listed if one["message_type"] == "user_message"]


@pytest.mark.rule("G9", "G2", "G19", "FIX-1", "FIX-63", "A4", "api-6.15", "api-21.10")
@pytest.mark.parametrize("embedding", [None, "openai/text-embedding-3-small"])
async def test_an_agent_gets_one_that_looks_after_its_memory(
    served: Served, embedding: str | None
) -> None:
    main, partner = await pair(served, name="Ann", embedding=embedding, tags=["team"])
    assert main.enable_sleeptime is True
    assert (partner.name, partner.agent_type) == ("Ann-sleeptime", "sleeptime_agent")
    assert (partner.model, partner.embedding, partner.tags) == (main.model, embedding, [])
    assert [block.label for block in partner.blocks] == ["human", "memory_persona"]
    group = await served.got(f"/v1/agents/{main.id}")
    assert group["managed_group"] == group["multi_agent_group"]
    managed = group["managed_group"]
    assert managed["manager_type"] == "sleeptime"
    assert managed["manager_agent_id"] == main.id
    assert (managed["sleeptime_agent_frequency"], managed["turns_counter"]) == (5, -1)
    assert names(group) == ["conversation_search", "archival_memory_search"]
    assert [tool.name for tool in partner.tools] == [
        "memory_replace",
        "memory_insert",
        "memory_rethink",
        "memory_finish_edits",
    ]
    rules: list[Json] = (await served.got(f"/v1/agents/{partner.id}"))["tool_rules"]
    kinds = {one["tool_name"]: one["type"] for one in rules}
    assert kinds.pop("memory_finish_edits") == "exit_loop"
    assert set(kinds.values()) == {"continue_loop"}


@pytest.mark.rule("G13", "G15", "G16", "G17", "G18", "streaming-1.9", "streaming-3.2", "FIX-63")
async def test_what_was_said_is_gone_over_in_the_background(served: Served) -> None:
    main, partner = await pair(served)
    reply = await served.say(main.id, f"I am called Rob. {EDIT}")
    (run_id,) = reply.usage.run_ids
    run = await served.letta.runs.retrieve(run_id)
    assert (run.agent_id, run.background) == (partner.id, True)
    run = await served.ended(run_id)
    assert (run.status, run.metadata) == (
        "completed",
        {"run_type": "sleeptime_agent_send_message_async", "agent_id": partner.id},
    )
    (text,) = await transcripts(served, partner)
    _, _, lines = text.partition("Messages:\n")
    answer = reply.messages[0].content
    assert lines.splitlines() == [f"user: I am called Rob. {EDIT}", f"assistant: {answer}"]
    human = await served.letta.agents.blocks.retrieve("human", agent_id=main.id)
    assert human.value == "Name: Rob"
    await served.say(main.id, "Who am I?")
    prompt = asked(served.model, with_tool="conversation_search")[-1]["messages"][0]["content"]
    assert "Name: Rob" in str(prompt)
    assert "Name: Bob" not in str(prompt)


@pytest.mark.rule("G14", "G15", "streaming-1.9")
async def test_the_first_turn_is_followed_and_then_every_fifth(served: Served) -> None:
    main, partner = await pair(served)
    followed: list[int] = []
    for n in range(7):
        for run_id in (await served.say(main.id, f"turn {n}")).usage.run_ids or ():
            followed.append(n)
            await served.ended(run_id)
    assert followed == [0, 5]
    first, second = await transcripts(served, partner)
    assert [n for n in range(7) if f"turn {n}" in first] == [0]
    assert [n for n in range(7) if f"turn {n}" in second] == [1, 2, 3, 4, 5]


@pytest.mark.rule("G16", "streaming-3.2")
async def test_a_stream_names_the_run_that_follows(served: Served) -> None:
    main, partner = await pair(served)
    stream = await served.letta.agents.messages.create(main.id, input="Hello.", streaming=True)
    usages = [one async for one in stream if one.message_type == "usage_statistics"]
    (run_id,) = usages[0].run_ids or [""]
    assert (await served.ended(run_id)).agent_id == partner.id


@pytest.mark.rule("G13", "FIX-63", "streaming-1.9")
async def test_a_turn_that_failed_is_not_followed(served: Served) -> None:
    main, partner = await pair(served)
    await served.posted_to_model(fault={"how": "fail", "status": 401, "count": 1})
    with pytest.raises(APIStatusError):
        await served.say(main.id, "Hello.")
    assert await follow_ups(served, partner) == []
    assert (await served.say(main.id, "Again.")).usage.run_ids is not None


@pytest.mark.rule("FIX-63", "G-9", "streaming-1.9")
async def test_what_follows_waits_until_the_sleeptime_agent_is_free(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, partner = await pair(served)
    busy = await served.letta.agents.messages.create_async(partner.id, input="SLOW 60000 hello")
    reply = await served.say(main.id, "Hello.")
    assert reply.stop_reason.stop_reason == "end_turn"
    (run_id,) = reply.usage.run_ids
    assert (await served.letta.runs.retrieve(run_id)).status == "created"
    monkeypatch.setattr(runs, "LOOKUPS_S", (0,))
    early = await served.http.post(f"/v1/runs/{run_id}/stream", json={})
    assert (early.status_code, early.json()["detail"][:9]) == (409, "CONFLICT:")
    monkeypatch.undo()
    await served.letta.agents.messages.cancel(partner.id, run_ids=[busy.id])

    async def begun() -> bool:
        return run_id in [run.id for run in await follow_ups(served, partner)]

    await eventually(begun)
    assert (await served.ended(run_id)).status == "completed"
    async with served.db.read(Actor()) as tx:
        assert await followups.pending(tx) == []


@pytest.mark.rule("G-9")
async def test_a_plan_is_begun_once_however_often_it_is_tried(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, partner = await pair(served)

    async def nothing(_: FollowUps, run_ids: object) -> None:
        return

    with monkeypatch.context() as patched:
        # As if the process had ended right after the commit.
        patched.setattr(FollowUps, "begin", nothing)
        (run_id,) = (await served.say(main.id, "Hello.")).usage.run_ids
    plans = FollowUps(db=served.db, queue=lambda: pytest.fail("nothing is queued here"))
    tried = [await plans.begun(run_id) for _ in range(3)]
    assert tried.count(True) <= 1
    runner = served.runtime.runner
    await runner.stop()
    await runner.start()
    assert (await served.ended(run_id)).status == "completed"
    assert [run.id for run in await follow_ups(served, partner)] == [run_id]


@pytest.mark.rule("G12", "M9", "api-6.15")
async def test_blocks_of_the_main_agent_are_the_partners_too(served: Served) -> None:
    main, partner = await pair(served, tools=["memory"])
    block = await served.letta.blocks.create(label="plans", value="")
    await served.letta.agents.blocks.attach(block.id, agent_id=main.id)
    created = (
        'CALL memory {"command": "create", "path": "/memories/notes", '
        '"description": "Notes.", "file_text": "one"}'
    )
    await served.say(main.id, created)
    for agent in (main, partner):
        held = (await served.letta.agents.blocks.list(agent.id, order="asc")).items
        assert {"plans", "notes"} <= {one.label for one in held}


@pytest.mark.rule("G12", "api-6.15")
async def test_sleeptime_is_switched_on_and_off(served: Served) -> None:
    main = await served.agent(name="Ann")
    assert (await served.say(main.id, "Hello.")).usage.run_ids is None
    on = await served.letta.agents.update(main.id, enable_sleeptime=True)
    assert on.managed_group is not None
    assert (await served.say(main.id, "Hello.")).usage.run_ids is not None
    off = await served.letta.agents.update(main.id, enable_sleeptime=False)
    assert off.managed_group is not None
    assert off.managed_group.id == on.managed_group.id
    for _ in range(5):
        assert (await served.say(main.id, "Hello.")).usage.run_ids is None
    again = await served.letta.agents.update(main.id, enable_sleeptime=True)
    assert again.managed_group is not None
    assert again.managed_group.id == on.managed_group.id
    with pytest.raises(APIStatusError) as refused:
        await served.agent(agent_type="sleeptime_agent", enable_sleeptime=True)
    assert refused.value.status_code == 400


@pytest.mark.rule("G12", "api-6.45")
async def test_both_go_with_the_main_agent_and_the_group_with_the_partner(served: Served) -> None:
    main, partner = await pair(served)
    await served.letta.agents.delete(partner.id)
    alone = await served.letta.agents.retrieve(main.id, include=["agent.managed_group"])
    assert (alone.enable_sleeptime, alone.managed_group) == (None, None)
    main, partner = await pair(served)
    assert main.managed_group is not None
    await served.letta.agents.delete(main.id)
    for path in (f"agents/{partner.id}", f"groups/{main.managed_group.id}"):
        reply: httpx.Response = await served.http.get(f"/v1/{path}")
        assert reply.status_code == 404
