"""Agents of every type, through the official client: what is told live is what is read back."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson
import pytest
from inline_snapshot import snapshot
from letta_client import APIStatusError

from eunoe.domain.events import TextDelta
from eunoe.domain.messages import Json, text_of
from eunoe.engine.ports import ToolChoice
from eunoe.store.db import Database
from eunoe.testing.scripted import Events, say
from tests.http.talks import ENTRANCES, MODES, Mode, Talk, call, merged, talking, told

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
@pytest.mark.parametrize("mode", ENTRANCES)
@pytest.mark.parametrize(
    ("agent_type", "fields"),
    [
        ("memgpt_agent", {}),
        ("memgpt_v2_agent", {}),
        ("react_agent", WITH_TOOLS),
        ("workflow_agent", WITH_TOOLS),
        ("split_thread_agent", {"system": "You split."}),
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
    if mode == "conversation":
        assert listed.pop(0)["message_type"] == "system_message"
    assert listed[0]["content"] == "Hi"
    assert told([row for row in listed if row["message_type"] != "user_message"]) == HEARTBEATS
    beats = [row for row in listed[1:] if row["message_type"] == "user_message"]
    assert [orjson.loads(beat["content"])["type"] for beat in beats] == ["heartbeat"]
    assert (await talk.replayed(heard.run_id)).parts == heard.parts or mode == "blocking"
    assert [one.choice for one in model.requests] == [ToolChoice(mode="required")] * 2
    of_run = await talk.rows(f"/v1/runs/{heard.run_id}/messages", order="asc")
    assert told([row for row in of_run if row["message_type"] != "user_message"]) == HEARTBEATS


@pytest.mark.rule("A1", "A13", "L47", "L49", "FIX-74")
@pytest.mark.parametrize("mode", ENTRANCES)
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


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


async def memgpt(talk: Talk, **fields: Any) -> str:
    """Return the id of a `memgpt_agent` that has said nothing yet."""
    fields = {"initial_message_sequence": [], **fields}
    return str((await talk.agent("memgpt_agent", **fields)).id)


@pytest.mark.rule("L1", "L36")
async def test_what_a_client_says_in_the_name_of_the_agent_is_replied_to(talk: Talk) -> None:
    agent = await talk.agent("letta_v1_agent")
    model = talk.script(say("and so on."))
    said: Any = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well,"}]
    answer = await talk.letta.agents.messages.create(agent.id, messages=said)
    assert [getattr(one, "content", None) for one in answer.messages] == ["and so on."]
    assert [one.role for one in model.requests[0].messages] == ["system", "user", "assistant"]


@pytest.mark.rule("M21", "L18", "L23", "FIX-4")
async def test_what_an_agent_keeps_is_told_in_its_prompt_at_once(talk: Talk) -> None:
    agent = await talk.agent("letta_v1_agent", tools=["archival_memory_insert"])
    insert = call("archival_memory_insert", {"content": "Tea.", "tags": ["drinks", "drinks"]})
    model = talk.script(insert, say("Kept."))
    await talk.send(agent.id, "blocking")
    before, after = (text_of(request.messages[0]) for request in model.requests)
    assert "archival" not in before
    assert "- 1 memories are in archival memory" in after
    assert after.endswith("- Available archival memory tags: drinks\n</memory_metadata>")


@pytest.mark.rule("L61", "streaming-2.10", "api-9.5")
async def test_calls_stay_calls_for_who_wants_them_so(talk: Talk, mode: Mode) -> None:
    agent_id = await memgpt(talk)
    talk.script(speak("Hello."))
    heard = await talk.send(agent_id, mode, use_assistant_message=False)
    listed = await talk.listed(agent_id, use_assistant_message=False)
    for rows in (told(merged(heard.parts)), told(listed[2:])):
        assert rows == snapshot([
            {
                "message_type": "reasoning_message", "source": "non_reasoner_model",
                "reasoning": "Now say it.", "id": "id 0", "otid": 0, "step_id": "step_id 1",
            },
            {
                "message_type": "tool_call_message", "id": "id 0", "otid": 1, "step_id": "step_id 1",
                "tool_call": {
                    "name": "send_message", "arguments": '{"message":"Hello."}',
                    "tool_call_id": "tool_call_id 2",
                },
            },
            {
                "message_type": "tool_return_message", "id": "id 3", "otid": 0, "step_id": "step_id 1",
                "tool_call_id": "tool_call_id 2", "status": "success", "tool_return": "None",
            },
        ])  # fmt: skip


@pytest.mark.rule("G-19", "streaming-2.10", "api-9.5")
async def test_another_tool_and_argument_can_be_the_voice(talk: Talk, mode: Mode) -> None:
    agent_id = await memgpt(talk, include_base_tool_rules=False)
    talk.script(search(heartbeat=False))
    voice = {
        "assistant_message_tool_name": "conversation_search",
        "assistant_message_tool_kwarg": "query",
    }
    heard = await talk.send(agent_id, mode, **voice)
    listed = await talk.listed(agent_id, **voice)
    for rows in (merged(heard.parts), listed[2:]):
        assert [row.get("content", row.get("reasoning")) for row in rows] == ["Look first.", "tea"]
        assert rows[1]["message_type"] == "assistant_message"


WRITTEN: Final = [
    ('{"message": "Hi.", "thinking": "Late."}', ["Late.", "Hi."]),
    ('{"message": "Hi."}', ["Hi."]),
    ('{"thinking": "", "message": "Hi."}', ["Hi."]),
    ('{"thinking": "Hm.", "other": {"message": "no"}}', ["Hm."]),
    ('{"thinking": "Hm.", "message": ""}', ["Hm."]),
    ('{"thinking": "Hm.", "message": null}', ["Hm."]),
    ('{"thinking": "Hm.", \'message\': "Hi."}', ["Hm."]),
    ('{"thinking": "\\ud83d\\ude42", "message": "\\ud83d\\ude42\\n"}', ["🙂", "🙂\n"]),
]


@pytest.mark.rule("G-19", "streaming-2.5", "streaming-2.10")
async def test_whatever_the_model_writes_streams_and_lists_agree(talk: Talk, mode: Mode) -> None:
    agent_id = await memgpt(talk)
    for arguments, said in WRITTEN:
        talk.script(call("send_message", arguments, cut=1), speak("Sorry."))
        heard = await talk.send(agent_id, mode)
        message_id = heard.parts[0]["id"]
        live = [row for row in merged(heard.parts) if row["id"] == message_id]
        listed = [row for row in await talk.listed(agent_id) if row["id"] == message_id]
        assert told(live) == told(listed)
        assert [row.get("content", row.get("reasoning")) for row in live] == said


@pytest.mark.rule("R6", "L61", "L53", "FIX-52")
async def test_without_the_argument_what_is_written_beside_a_call_is_thought(
    talk: Talk, mode: Mode
) -> None:
    agent_id = await memgpt(talk, reasoning=False)
    beside = [TextDelta(text="Let me "), TextDelta(text="see.")]
    model = talk.script(
        [*beside, *call("conversation_search", {"query": "tea", "request_heartbeat": True})],
        call("send_message", {"message": "Hi."}),
    )
    heard = await talk.send(agent_id, mode)
    thought, called, *_ = merged(heard.parts)
    assert (thought["reasoning"], thought["source"]) == ("Let me see.", "non_reasoner_model")
    assert called["tool_call"]["arguments"] == '{"query":"tea"}'
    assert "thinking" not in model.requests[0].tools[0].parameters["properties"]
    again = model.requests[1].messages[2]
    assert text_of(again) == "Let me see."
    assert orjson.loads(again.calls[0].arguments) == {"query": "tea", "request_heartbeat": True}


@pytest.mark.rule("L53")
async def test_a_reply_without_a_call_fails_the_run(talk: Talk) -> None:
    agent_id = await memgpt(talk)
    talk.script(say("I would rather talk."))
    with pytest.raises(APIStatusError):
        await talk.send(agent_id, "blocking")
    (run,) = (await talk.letta.runs.list(agent_id=agent_id)).items
    assert (run.status, run.stop_reason) == ("failed", "no_tool_call")
    assert [row["message_type"] for row in await talk.listed(agent_id)] == [
        "system_message",
        "user_message",
    ]
    talk.script(speak("Now I do."))
    assert (await talk.send(agent_id, "steps")).reason == "end_turn"


@pytest.mark.rule("FIX-10", "L55", "L56", "L57", "L58", "S39a", "S40", "S41", "S42")
async def test_a_failed_call_wakes_the_agent_and_that_is_what_it_remembers(talk: Talk) -> None:
    agent_id = await memgpt(talk, tools=["core_memory_append"], include_base_tool_rules=False)
    edit: Json = {"thinking": "Note it.", "label": "nowhere", "content": "x"}
    model = talk.script(
        call("core_memory_append", {**edit, "request_heartbeat": False}),
        call("core_memory_append", {**edit, "request_heartbeat": "True"}),
        speak("I cannot.", request_heartbeat=False),
    )
    assert (await talk.send(agent_id, "steps")).reason == "end_turn"
    remembered = [
        orjson.loads(message.calls[0].arguments)
        for message in model.requests[2].messages
        if message.calls
    ]
    assert remembered == [{**edit, "request_heartbeat": True}] * 2
    beat = orjson.loads(text_of(model.requests[1].messages[-1]))
    assert list(beat) == ["type", "reason", "time"]
    assert beat["type"] == "heartbeat"
    assert "failed" in beat["reason"]
    assert beat["reason"].startswith("[")


@pytest.mark.rule("L50", "L55", "L58")
async def test_the_last_step_ends_the_turn_whatever_was_asked_for(talk: Talk) -> None:
    agent_id = await memgpt(talk)
    talk.script(search())
    heard = await talk.send(agent_id, "steps", max_steps=1)
    assert heard.reason == "max_steps"
    assert heard.kinds.count("tool_return_message") == 1
    model = talk.script(speak("Here.", request_heartbeat=True))
    assert (await talk.send(agent_id, "steps")).reason == "tool_rule"
    (asked,) = [message.calls[0] for message in model.requests[0].messages if message.calls]
    assert orjson.loads(asked.arguments)["request_heartbeat"] is False


@pytest.mark.rule("L55", "L56", "TR15")
async def test_a_required_tool_is_asked_for_before_the_end_and_a_lone_one_by_name(
    talk: Talk,
) -> None:
    rules: list[Json] = [
        {"type": "run_first", "tool_name": "conversation_search"},
        {"type": "required_before_exit", "tool_name": "core_memory_append"},
    ]
    agent_id = await memgpt(talk, tool_rules=rules)
    edit: Json = {"thinking": "Note it.", "label": "human", "content": "x"}
    model = talk.script(
        search(heartbeat=False),
        speak("Bye."),
        call("core_memory_append", {**edit, "request_heartbeat": False}),
        speak("Bye again."),
    )
    assert (await talk.send(agent_id, "steps")).reason == "end_turn"
    forced = ToolChoice(mode="required", name="conversation_search")
    assert [one.choice for one in model.requests] == [forced, *[ToolChoice(mode="required")] * 3]
    reasons = [
        orjson.loads(text_of(message))["reason"]
        for message in model.requests[3].messages
        if message.role == "user" and text_of(message).startswith("{")
    ]
    assert len(reasons) == 3
    assert "core_memory_append" in reasons[1]


@pytest.mark.rule("L61", "FIX-74", "api-9.5", "M28")
async def test_what_an_agent_said_through_its_tool_is_listed_and_found_as_said(talk: Talk) -> None:
    agent_id = await memgpt(talk)
    talk.script(speak("The kettle whistles."))
    heard = await talk.send(agent_id, "steps")
    step_id = heard.parts[-1]["step_id"]
    of_step = await talk.rows(f"/v1/steps/{step_id}/messages")
    assert [row["message_type"] for row in of_step] == ["reasoning_message", "assistant_message"]
    everywhere = await talk.rows("/v1/messages/")
    assert everywhere[-2]["reasoning"] == "Now say it."
    assert everywhere[-1]["content"] == "The kettle whistles."
    found = await talk.http.post("/v1/messages/search", json={"query": "kettle"})
    (hit,) = [row for row in found.json() if row["message_type"] == "assistant_message"]
    assert hit["content"] == "The kettle whistles."


@pytest.mark.rule("L60", "streaming-2.10")
async def test_a_message_of_a_form_is_told_as_the_object_it_is(talk: Talk, mode: Mode) -> None:
    shape: Json = {"type": "object", "properties": {"mood": {"type": "string"}}}
    form: Json = {"type": "json_schema", "json_schema": {"name": "mood", "schema": shape}}
    agent_id = await memgpt(talk, response_format=form)
    model = talk.script(speak({"mood": "good"}))
    heard = await talk.send(agent_id, mode)
    assert [row["content"] for row in merged(heard.parts)[1:]] == ['{"mood":"good"}']
    (tool,) = [tool for tool in model.requests[0].tools if tool.name == "send_message"]
    assert tool.parameters["properties"]["message"] == shape
    assert (await talk.listed(agent_id))[-1]["content"] == '{"mood":"good"}'


@pytest.mark.rule("A11", "api-6.13")
async def test_an_agent_of_the_heartbeat_loop_has_greeted_before_anybody_came(talk: Talk) -> None:
    agent = await talk.agent("memgpt_agent")
    greeting = told(await talk.listed(agent.id))[1:]
    assert [row["message_type"] for row in greeting] == [
        "reasoning_message",
        "assistant_message",
        "user_message",
    ]
    assert list(orjson.loads(greeting[2]["content"])) == ["type", "last_login", "time"]
    assert len(agent.message_ids) == 4
    for silent in ("sleeptime_agent", "letta_v1_agent"):
        assert len((await talk.agent(silent)).message_ids) == 1
    local = await talk.agent("memgpt_agent", model="lmstudio_openai/some")
    rows = await talk.listed(local.id, use_assistant_message=False)
    assert rows[1]["message_type"] == "user_message"
    assert len(rows[3]["tool_call"]["tool_call_id"]) == 9
    bare = await talk.agent("sleeptime_agent", include_base_tools=False)
    assert [row["message_type"] for row in await talk.listed(bare.id)] == [
        "system_message",
        "user_message",
    ]


@pytest.mark.rule("A12", "api-6.13", "L9")
async def test_what_the_caller_has_the_agent_say_is_a_call_of_its_message_tool(talk: Talk) -> None:
    sequence = [
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "Ada."},
    ]
    agent = await talk.agent("workflow_agent", **WITH_TOOLS, initial_message_sequence=sequence)
    rows = await talk.listed(agent.id)
    assert [row["content"] for row in rows[1:]] == ["Who are you?", "Ada."]
    assert rows[2]["message_type"] == "assistant_message"
    assert len(agent.message_ids) == 4
    assert agent.message_buffer_autoclear
    model = talk.script(speak("Done."))
    await talk.send(agent.id, "steps")
    assert [message.role for message in model.requests[0].messages] == ["system", "user"]


@pytest.mark.rule("api-8.12", "A11")
async def test_a_reset_can_bring_the_first_messages_back(talk: Talk) -> None:
    agent = await talk.agent("memgpt_v2_agent")
    for wanted, left in ((False, 1), (True, 4)):
        await talk.letta.agents.messages.reset(agent.id, add_default_initial_messages=wanted)
        assert len((await talk.letta.agents.retrieve(agent.id)).message_ids or []) == left
