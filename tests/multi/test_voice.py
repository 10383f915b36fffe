"""An agent that speaks, and the one that keeps what leaves its view (agent 8.4)."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Any

import openai as sdk
import orjson
import pytest
import uvicorn
from letta_client import APIStatusError
from letta_client.types import AgentState
from openai import AsyncOpenAI

from eunoe.domain.messages import Json
from eunoe.testing.script import sentence
from tests.multi.conftest import Served, asked

pytestmark = pytest.mark.anyio

SENTENCE = sentence(12)
TOOLS = ["store_memories", "rethink_user_memory", "finish_rethinking_memory"]


@pytest.fixture
async def address(served: Served) -> AsyncGenerator[str]:
    """Serve the application on loopback, in this event loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(served.app, lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


async def speaker(served: Served, **fields: Any) -> tuple[AgentState, Json]:
    """Return an agent that speaks, and the group in which its memory is kept."""
    blocks = [{"label": "human", "value": "Name: Bob"}, {"label": "persona", "value": "Calm."}]
    agent = await served.agent(
        agent_type="voice_convo_agent", enable_sleeptime=True, memory_blocks=blocks, **fields
    )
    group: Json = (await served.got(f"/v1/agents/{agent.id}"))["managed_group"]
    return agent, group


def voice(address: str, agent_id: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{address}/v1/voice-beta/{agent_id}", api_key="x", max_retries=0)


async def heard(client: AsyncOpenAI, text: str) -> list[Any]:
    turns: list[Any] = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": text},
    ]
    stream = await client.chat.completions.create(model="any", messages=turns, stream=True)
    return [one async for one in stream]


def text_of(chunks: list[Any]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks)


@pytest.mark.rule("G10", "G24", "A1", "api-6.9", "api-6.15")
async def test_a_voice_agent_gets_one_that_keeps_its_memory(served: Served) -> None:
    main, group = await speaker(served, name="Ann")
    assert [tool.name for tool in main.tools] == ["send_message", "search_memory"]
    assert group["manager_type"] == "voice_sleeptime"
    assert (group["max_message_buffer_length"], group["min_message_buffer_length"]) == (30, 15)
    assert (group["turns_counter"], group["sleeptime_agent_frequency"]) == (None, None)
    partner: Json = await served.got(f"/v1/agents/{group['agent_ids'][0]}")
    assert (partner["name"], partner["agent_type"]) == ("Ann-sleeptime", "voice_sleeptime_agent")
    assert partner["llm_config"]["model"] == "gpt-4.1"
    assert [tool["name"] for tool in partner["tools"]] == TOOLS
    assert [
        (one["type"], one["tool_name"], one.get("children")) for one in partner["tool_rules"]
    ] == [
        ("run_first", "store_memories", None),
        ("constrain_child_tools", "store_memories", ["rethink_user_memory"]),
        ("continue_loop", "rethink_user_memory", None),
        ("exit_loop", "finish_rethinking_memory", None),
    ]
    assert len(partner["message_ids"]) == 1
    labels = {block["label"] for block in partner["blocks"]}
    assert labels == {"human", "persona", "memory_persona"}
    block = await served.letta.blocks.create(label="plans", value="")
    await served.letta.agents.blocks.attach(block.id, agent_id=main.id)
    held = (await served.letta.agents.blocks.list(partner["id"])).items
    assert "plans" not in {one.label for one in held}
    await served.letta.agents.delete(main.id)
    for path in (f"agents/{partner['id']}", f"groups/{group['id']}"):
        assert (await served.http.get(f"/v1/{path}")).status_code == 404


@pytest.mark.rule("api-6.5", "api-6.15")
async def test_a_voice_agent_without_one_is_refused(served: Served) -> None:
    with pytest.raises(APIStatusError, match="enable_sleeptime") as refused:
        await served.agent(agent_type="voice_convo_agent")
    assert refused.value.status_code == 422
    with pytest.raises(APIStatusError) as refused:
        await served.agent(agent_type="voice_sleeptime_agent", enable_sleeptime=True)
    assert refused.value.status_code == 400


@pytest.mark.rule("G23", "S51", "S54", "streaming-1.8")
async def test_who_speaks_to_it_hears_words(served: Served, address: str) -> None:
    main, _ = await speaker(served)
    async with voice(address, main.id) as client:
        chunks = await heard(client, 'CALL search_memory {"convo_keyword_queries": ["tea"]}')
        assert text_of(chunks) == SENTENCE
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert text_of(await heard(client, "SAY Bye now.")) == "Bye now."
        whole = await client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "SAY Gone."}], stream=False
        )
    assert whole.choices[0].message.content == "Gone."
    first, second, third, _ = asked(served.model, with_tool="search_memory")
    assert [tool["function"]["name"] for tool in first["tools"]] == ["search_memory"]
    assert "request_heartbeat" not in str(first["tools"])
    assert (first["tool_choice"], first["stream"]) == ("auto", True)
    assert "Name: Bob" in str(first["messages"][0])
    assert second["messages"][-2]["role"] == "tool"
    assert "request_heartbeat" not in str(second["messages"][1:])
    assert "in words to be spoken" in second["messages"][-1]["content"]
    assert third["messages"][-2]["content"] == SENTENCE
    assert third["messages"][-1]["content"] == "SAY Bye now."
    assert "send_message" not in str(third["messages"][1:])
    listed: list[Json] = await served.got(f"/v1/agents/{main.id}/messages", order="asc", limit=100)
    spoken = [one["content"] for one in listed if one["message_type"] == "assistant_message"]
    assert spoken[1:] == [SENTENCE, "Bye now.", "Gone."]
    raw = await served.got(
        f"/v1/agents/{main.id}/messages", order="desc", limit=3, use_assistant_message=False
    )
    calls = [one["tool_call"] for one in raw if one["message_type"] == "tool_call_message"]
    assert (calls[0]["name"], orjson.loads(calls[0]["arguments"])) == (
        "send_message",
        {"message": "Gone."},
    )


@pytest.mark.rule("G23")
async def test_who_is_spoken_to_can_also_be_written_to(served: Served, address: str) -> None:
    main, _ = await speaker(served)
    async with voice(address, main.id) as client:
        await heard(client, "SAY Spoken.")
    reply = await served.say(main.id, "Hello.")
    assert [one.message_type for one in reply.messages] == ["assistant_message"]
    (written,) = asked(served.model, with_tool="send_message")
    assert written["tool_choice"] != "auto"
    assert "Spoken." in str(written["messages"])


@pytest.mark.rule("G23", "S57", "S60", "S61")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "The 'messages' field is missing in the request."),
        ({"messages": None}, "The 'messages' field must be an iterable."),
        (
            {"messages": [{"role": "system", "content": "x"}]},
            "'messages[-1].role' must be a 'user'",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "'messages[-1].content' must be a 'string'",
        ),
    ],
)
async def test_what_cannot_be_said_is_refused(served: Served, body: Json, told: str) -> None:
    main, _ = await speaker(served)
    reply = await served.http.post(f"/v1/voice-beta/{main.id}/chat/completions", json=body)
    assert reply.status_code == 400
    assert (reply.json()["detail"], reply.json()["error"]["message"]) == (told, told)


@pytest.mark.rule("G23")
async def test_only_a_voice_agent_can_be_spoken_to(served: Served, address: str) -> None:
    other = await served.agent()
    async with voice(address, other.id) as client:
        with pytest.raises(sdk.BadRequestError, match="voice_convo_agent"):
            await heard(client, "Hello.")
    said = {"messages": [{"role": "user", "content": "Hello."}]}
    reply = await served.http.post(f"/v1/voice-beta/{other.id}/chat/completions", json=said)
    detail = reply.json()["detail"]
    assert detail["expected_type"] == "voice_convo_agent"
    assert detail["actual_type"] == "letta_v1_agent"
    unknown = "agent-00000000-0000-4000-8000-000000000000"
    missing = await served.http.post(f"/v1/voice-beta/{unknown}/chat/completions", json=said)
    assert missing.status_code == 404


@pytest.mark.rule("G23", "G24", "G2")
async def test_what_leaves_its_view_is_kept(served: Served, address: str) -> None:
    main, group = await speaker(served)
    config = {
        "manager_type": "voice_sleeptime",
        "manager_agent_id": main.id,
        "max_message_buffer_length": 9,
        "min_message_buffer_length": 5,
    }
    changed = await served.http.patch(f"/v1/groups/{group['id']}", json={"manager_config": config})
    assert changed.status_code == 200
    store = {"chunks": [{"start_index": 3, "end_index": 99, "context": "Of tea."}]}
    async with voice(address, main.id) as client:
        await heard(client, f"I like tea. LATER store_memories {orjson.dumps(store).decode()}")
        window = (await served.letta.agents.retrieve(main.id)).message_ids or []
        assert len(window) == 7
        await heard(client, "SAY Second.")
    runs = (await served.letta.runs.list(agent_id=group["agent_ids"][0])).items
    assert [(await served.ended(run.id)).status for run in runs] == ["completed"]
    stayed = (await served.letta.agents.retrieve(main.id)).message_ids or []
    assert (stayed[0], len(stayed)) == (window[0], 4)
    said = asked(served.model, with_tool="store_memories")[0]["messages"][1]["content"]
    left, _, still = said.partition("Lines that are still in view:")
    assert "3. user: I like tea." in left
    lines = [line.partition(". ") for line in still.split("\n") if line]
    assert [line[2] for line in lines] == ["user: SAY Second.", "assistant: Second."]
    assert int(lines[1][0]) == int(lines[0][0]) + 1
    passages = await served.got(f"/v1/agents/{main.id}/archival-memory")
    (kept,) = [one["text"] for one in passages]
    assert kept.startswith("<memory>\n<messages>\n<message>user: I like tea.")
    assert kept.endswith("</messages>\n<context>Of tea.</context>\n</memory>")
    human = await served.letta.agents.blocks.retrieve("human", agent_id=main.id)
    assert human.value == "example"
    listed = await served.got(f"/v1/agents/{main.id}/messages", limit=100)
    assert any("I like tea" in str(one.get("content")) for one in listed)
    async with voice(address, main.id) as client:
        await heard(client, "SAY Third.")
    told = asked(served.model, with_tool="search_memory")[-1]["messages"]
    assert "example" in str(told[0])
    assert "I like tea" not in str(told)
