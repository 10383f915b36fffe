"""An agent behind the Responses API, asked with OpenAI's own client."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from eunoe.domain.conversations import Conversation
from eunoe.domain.messages import Image, Text, text_of
from eunoe.ids import new
from eunoe.store import conversations, lists
from tests.http.openai_clients import address, blocking, openai
from tests.http.reading import frames
from tests.runs.conftest import ACTOR, World

__all__ = ["address", "openai"]

pytestmark = pytest.mark.anyio

MANY = "one two three four five six seven eight nine ten"


async def events_of(client: AsyncOpenAI, model: str, text: str) -> list[Any]:
    stream = await client.responses.create(model=model, input=text, stream=True)
    return [one async for one in stream]


@pytest.mark.rule("streaming-1.8", "streaming-1.1")
async def test_a_whole_response(world: World, address: str, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    answer = await openai.responses.create(
        model=agent.id,
        input=[
            {"role": "user", "content": "SAY Earlier."},
            {"role": "assistant", "content": "Earlier."},
            {"role": "user", "content": "SAY Good evening."},
        ],
        instructions="You are a pirate.",
        previous_response_id="resp_1",
        store=False,
        temperature=0.1,
        metadata={"a": "b"},
    )
    assert answer.output_text == "Good evening."
    assert (answer.status, answer.error, answer.incomplete_details) == ("completed", None, None)
    assert (answer.metadata, answer.previous_response_id) == ({"a": "b"}, "resp_1")
    assert answer.model == "scripted-1"
    assert answer.usage is not None
    outcome = await world.runner.fold(ACTOR, answer.id.removeprefix("resp_"))
    assert answer.usage.total_tokens == outcome.used.usage.total_tokens > 0
    window = await world.window(agent)
    assert [text_of(one) for one in window[1:]] == ["SAY Good evening.", "Good evening."]
    assert b"pirate" not in world.model.requests[-1]

    def ask(client: OpenAI) -> Response:
        return client.responses.create(model=agent.id, input="SAY Again.")

    assert (await blocking(address, ask)).output_text == "Again."


@pytest.mark.rule("streaming-1.8")
async def test_a_streamed_response(world: World, address: str, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    told = await events_of(openai, agent.id, f'CALL look {{"at": "it"}} SLOW 15 SAY {MANY}')
    assert [one.sequence_number for one in told] == list(range(len(told)))
    deltas = [one.delta for one in told if one.type == "response.output_text.delta"]
    assert "".join(deltas) == MANY
    assert len(deltas) > 1
    assert [one.type for one in told if one.type != "response.output_text.delta"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    whole = told[-1].response
    assert (whole.status, whole.output_text) == ("completed", MANY)
    assert whole.usage.total_tokens > 0
    added = next(one for one in told if one.type == "response.output_item.added")
    assert {one.item_id for one in told if hasattr(one, "item_id")} == {added.item.id}

    def ask(client: OpenAI) -> Response:
        with client.responses.stream(model=agent.id, input="SAY Again.") as stream:
            return stream.get_final_response()

    assert (await blocking(address, ask)).output_text == "Again."


@pytest.mark.rule("streaming-1.8", "G-8")
async def test_the_bytes_of_a_stream(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    body = {"model": agent.id, "input": "SAY Hi.", "stream": True}
    answer = await http.post("/v1/responses", json=body)
    assert answer.content.startswith(b"event: response.created\ndata: {")
    *told, done = frames(answer.content)
    assert done == "[DONE]"
    assert answer.content.count(b"[DONE]") == 1
    named = [one for one in told if isinstance(one, str)]
    assert named == [one["type"] for one in told if isinstance(one, dict)]


@pytest.mark.rule("streaming-1.8", "streaming-9.3")
@pytest.mark.parametrize(
    ("text", "code", "kind", "status"),
    [
        ("FAIL 401", "server_error", "llm_authentication", 401),
        ("FAIL 429", "rate_limit_exceeded", "llm_rate_limit", 429),
        (f"DROP 3\nSAY {MANY}", "server_error", "llm_reply_cut", 500),
    ],
)
async def test_a_model_that_fails_before_and_while_it_speaks(
    world: World, openai: AsyncOpenAI, text: str, code: str, kind: str, status: int
) -> None:
    agent = await world.agent()
    last = (await events_of(openai, agent.id, text))[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert (last.response.error.code, last.response.error.type) == (code, kind)
    assert [one.status for one in last.response.output] in ([], ["incomplete"])
    assert bool(last.response.output) is ("DROP" in text)
    with pytest.raises(sdk.APIStatusError) as whole:
        await openai.responses.create(model=agent.id, input=text)
    assert whole.value.status_code == status
    assert whole.value.code in (kind, "llm_connection")


@pytest.mark.rule("streaming-1.8", "streaming-9.4")
async def test_an_answer_that_was_cut_is_incomplete(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    last = (await events_of(openai, agent.id, f"LENGTH\nSAY {MANY}"))[-1]
    assert last.type == "response.incomplete"
    whole: Any = await openai.responses.create(model=agent.id, input=f"LENGTH\nSAY {MANY}")
    for answer in (last.response, whole):
        assert (answer.status, answer.output_text) == ("incomplete", MANY)
        assert answer.incomplete_details.reason == "max_output_tokens"
        assert answer.output[0].status == "incomplete"


@pytest.mark.rule("streaming-1.8")
async def test_what_is_said_in_a_conversation_stays_there(
    world: World, openai: AsyncOpenAI
) -> None:
    agent = await world.agent()
    now = datetime.now(UTC)
    talk = Conversation(id=new("conversation"), agent_id=agent.id, created_at=now, updated_at=now)
    (system,) = await world.window(agent)
    async with world.db.write(ACTOR) as tx:
        await conversations.insert(tx, talk)
        await lists.create(tx, talk.id)
        await lists.append(
            tx, talk.id, [replace(system, id=new("message"), conversation_id=talk.id)]
        )
    answer = await openai.responses.create(model=agent.id, input="SAY Here.", conversation=talk.id)
    assert answer.output_text == "Here."
    assert answer.conversation is not None
    assert answer.conversation.id == talk.id
    assert len(await world.window(agent)) == 1
    with pytest.raises(sdk.NotFoundError):
        await openai.responses.create(
            model=agent.id, input="x", conversation={"id": new("conversation")}
        )


@pytest.mark.rule("streaming-1.8", "api-9.20")
async def test_text_and_images_in_parts(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    data = base64.b64encode(b"\x89PNG").decode()
    image: Any = {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}
    answer = await openai.responses.create(
        model=agent.id,
        input=[{"role": "user", "content": [{"type": "input_text", "text": "SAY A cat."}, image]}],
    )
    assert answer.output_text == "A cat."
    asked = (await world.window(agent))[1]
    assert asked.content == (Text(text="SAY A cat."), Image(media_type="image/png", data=data))


@pytest.mark.rule("streaming-1.8", "FIX-14")
@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "gpt-4o"}, 400, "model"),
        ({"model": new("agent")}, 404, "model"),
        ({"input": None}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": 5}, 400, "input"),
        ({"input": ["Hello."]}, 400, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, 400, "input"),
        ({"input": [{"role": "user", "content": 5}]}, 400, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, 400, "input"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools"),
        ({"background": True}, 400, "background"),
        ({"prompt": {"id": "x"}}, 400, "prompt"),
        ({"conversation": "mine"}, 400, "conversation"),
        ({"text": {"format": {"type": "json_schema"}}}, 400, "text.format"),
    ],
)
async def test_refused_as_openai_refuses(
    world: World, http: httpx.AsyncClient, change: dict[str, Any], status: int, param: str | None
) -> None:
    agent = await world.agent()
    answer = await http.post("/v1/responses", json={"model": agent.id, "input": "Hello.", **change})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert len(await world.window(agent)) == 1
