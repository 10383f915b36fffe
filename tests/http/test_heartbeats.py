"""Agents of every type, through the official client: what is told live is what is read back."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson
import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import Json
from eunoe.engine.ports import ToolChoice
from eunoe.store.db import Database
from eunoe.testing.scripted import Events, say
from tests.http.talks import MODES, Mode, Talk, call, merged, talking, told

pytestmark = pytest.mark.anyio

MESSAGE: Final = 'Grüß dich, "Ada"!\n\\ 🙂 {"message": 1}'
WITH_TOOLS: Final[Json] = {"tools": ["send_message", "conversation_search"]}


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as one:
        yield one


def search(*, heartbeat: bool = True) -> Events:
    given: Json = {"thinking": "Look first.", "query": "tea", "request_heartbeat": heartbeat}
    return call("conversation_search", given)


def speak(text: Any = MESSAGE, **more: Any) -> Events:
    return call("send_message", {"thinking": "Now say it.", "message": text, **more})


HEARTBEATS: Final[Any] = snapshot([
    {
        "message_type": "reasoning_message", "source": "non_reasoner_model", "reasoning": "Look first.",
        "id": "id 0", "otid": 0, "step_id": "step_id 1",
    },
    {
        "message_type": "tool_call_message", "id": "id 0", "otid": 1, "step_id": "step_id 1",
        "tool_call": {"name": "conversation_search", "arguments": '{"query":"tea"}', "tool_call_id": "tool_call_id 2"},
    },
    {
        "message_type": "tool_return_message", "id": "id 3", "otid": 0, "step_id": "step_id 1",
        "tool_call_id": "tool_call_id 2", "status": "success",
        "tool_return": '{"message": "No results found.", "results": []}',
    },
    {
        "message_type": "reasoning_message", "source": "non_reasoner_model", "reasoning": "Now say it.",
        "id": "id 4", "otid": 0, "step_id": "step_id 5",
    },
    {"message_type": "assistant_message", "content": MESSAGE, "id": "id 4", "otid": 1, "step_id": "step_id 5"},
])  # fmt: skip
PLAIN: Final[Any] = snapshot([
    {
        "message_type": "tool_call_message", "id": "id 0", "otid": 0, "step_id": "step_id 1",
        "tool_call": {"name": "memory_finish_edits", "arguments": "{}", "tool_call_id": "tool_call_id 2"},
    },
    {
        "message_type": "tool_return_message", "id": "id 3", "otid": 0, "step_id": "step_id 1",
        "tool_call_id": "tool_call_id 2", "status": "success", "tool_return": "None",
    },
])  # fmt: skip


@pytest.mark.rule(
    "A1", "L53", "L59", "L61", "streaming-2.5", "streaming-2.6", "streaming-2.10", "G-4"
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("agent_type", "fields"),
    [
        ("memgpt_agent", {}),
        ("memgpt_v2_agent", {}),
        ("react_agent", WITH_TOOLS),
        ("workflow_agent", WITH_TOOLS),
        ("split_thread_agent", {"system": "You split."}),
        ("voice_convo_agent", {**WITH_TOOLS, "include_base_tools": False}),
        ("voice_sleeptime_agent", {**WITH_TOOLS, "include_base_tools": False}),
    ],
)
async def test_an_agent_of_the_heartbeat_loop_is_told_the_same_in_every_way(
    talk: Talk, agent_type: str, fields: Json, mode: Mode
) -> None:
    agent = await talk.agent(agent_type, **fields)
    before = await talk.listed(agent.id)
    model = talk.script(search(), speak())

    heard = await talk.send(agent.id, mode)

    assert told(merged(heard.parts)) == HEARTBEATS
    assert heard.reason == "end_turn"
    listed = (await talk.listed(agent.id))[len(before) :]
    assert listed[0]["content"] == "Hi"
    assert told([row for row in listed if row["message_type"] != "user_message"]) == HEARTBEATS
    beats = [row for row in listed[1:] if row["message_type"] == "user_message"]
    assert [orjson.loads(beat["content"])["type"] for beat in beats] == ["heartbeat"]
    assert (await talk.replayed(heard.run_id)).parts == heard.parts or mode == "blocking"
    assert [one.choice for one in model.requests] == [ToolChoice(mode="required")] * 2


@pytest.mark.rule("A1", "A13", "L47", "L49", "FIX-67", "FIX-74")
@pytest.mark.parametrize("mode", MODES)
async def test_a_sleeptime_agent_answers_in_plain_text(talk: Talk, mode: Mode) -> None:
    agent = await talk.agent("sleeptime_agent")
    talk.script(call("memory_finish_edits", {}))
    heard = await talk.send(agent.id, mode)
    assert told(merged(heard.parts)) == PLAIN
    assert heard.reason == "tool_rule"

    talk.script(say("Nothing to note."))
    said = await talk.send(agent.id, mode)
    listed = (await talk.listed(agent.id))[-1]
    for row in (*merged(said.parts), listed):
        assert (row["message_type"], row["content"]) == ("assistant_message", "Nothing to note.")
