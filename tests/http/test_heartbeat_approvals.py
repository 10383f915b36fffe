"""A person in the loop of an agent that acts through tools alone (agent 4, heartbeats)."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson
import pytest

from eunoe.store.db import Database
from tests.http.approving import ids_of, rule, yes
from tests.http.talks import Mode, Talk, call, talking

pytestmark = pytest.mark.anyio

MODES: Final[tuple[Mode, ...]] = ("blocking", "tokens")


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as one:
        yield one


async def _asked(talk: Talk, mode: Mode, *, heartbeat: bool) -> tuple[str, str]:
    """Return an agent whose call waits for a person, and the call's id."""
    rules = [rule("conversation_search")]
    agent = await talk.agent("memgpt_agent", tool_rules=rules, include_base_tool_rules=False)
    given = {"thinking": "Look first.", "query": "tea", "request_heartbeat": heartbeat}
    talk.script(call("conversation_search", given))
    heard = await talk.send(agent.id, mode)
    assert heard.reason == "requires_approval"
    state: Any = await talk.letta.agents.retrieve(agent.id, include=["agent.pending_approval"])
    request = state.pending_approval
    assert request.tool_call.arguments == '{"query":"tea"}'
    return agent.id, ids_of(request)[0]


async def _answer(talk: Talk, agent_id: str, entry: Any) -> Any:
    talk.script(call("send_message", {"message": "Done.", "request_heartbeat": False}))
    items: Any = [{"type": "approval", "approvals": [entry]}]
    return await talk.letta.agents.messages.create(agent_id, messages=items)


async def _beats(talk: Talk, agent_id: str) -> list[str]:
    """Return the reasons of the heartbeats in the agent's list."""
    rows = await talk.listed(agent_id, limit=100)
    texts = [row["content"] for row in rows if row["message_type"] == "user_message"]
    found = [orjson.loads(text) for text in texts if text.startswith("{")]
    return [one["reason"] for one in found if one["type"] == "heartbeat"]


@pytest.mark.rule("H6", "H13", "H17", "L55", "L58")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heartbeat", [True, False])
async def test_an_approved_call_goes_on_as_the_agent_had_asked(
    talk: Talk, mode: Mode, heartbeat: bool
) -> None:
    agent_id, call_id = await _asked(talk, mode, heartbeat=heartbeat)
    answer = await _answer(talk, agent_id, yes(call_id))
    kinds = [one.message_type for one in answer.messages]
    spoken = ["assistant_message"] if heartbeat else []
    assert [kind for kind in kinds if kind != "user_message"] == ["tool_return_message", *spoken]
    assert answer.messages[0].status == "success"
    assert answer.stop_reason.stop_reason == "end_turn"
    assert len(await _beats(talk, agent_id)) == heartbeat


@pytest.mark.rule("H14", "H17", "L56")
@pytest.mark.parametrize("mode", MODES)
async def test_a_denial_wakes_the_agent_whatever_it_asked_for(talk: Talk, mode: Mode) -> None:
    agent_id, call_id = await _asked(talk, mode, heartbeat=False)
    answer = await _answer(talk, agent_id, yes(call_id, approve=False, reason="Not now."))
    returned, *rest = [one for one in answer.messages if one.message_type != "user_message"]
    assert returned.status == "error"
    assert "Not now." in returned.tool_return
    assert [one.content for one in rest] == ["Done."]
    (beat,) = await _beats(talk, agent_id)
    assert "did not allow" in beat


@pytest.mark.rule("TR16", "H13")
async def test_what_is_allowed_is_run_with_the_arguments_of_its_rule(talk: Talk) -> None:
    first = rule("core_memory_append", "run_first", args={"label": "human"})
    agent = await talk.agent(
        "memgpt_agent",
        tool_rules=[first, rule("core_memory_append")],
        memory_blocks=[{"label": "human", "value": "Ann"}],
    )
    talk.script(call("core_memory_append", {"label": "nobody", "content": "likes tea"}))
    await talk.send(agent.id, "blocking")
    state: Any = await talk.letta.agents.retrieve(agent.id, include=["agent.pending_approval"])
    assert orjson.loads(state.pending_approval.tool_call.arguments)["label"] == "nobody"
    await _answer(talk, agent.id, yes(ids_of(state.pending_approval)[0]))
    block = await talk.letta.agents.blocks.retrieve("human", agent_id=agent.id)
    assert block.value == "Ann\nlikes tea"
