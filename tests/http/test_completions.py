"""An agent behind chat completions, asked with OpenAI's own client (streaming 1.8)."""

import base64
import json
from dataclasses import replace
from typing import Any

import anyio
import httpx
import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from eunoe.domain.messages import Image, Text, text_of
from eunoe.ids import new
from tests.http.approving import ALL, CAREFUL
from tests.http.openai_clients import address, blocking, openai
from tests.http.reading import frames
from tests.runs.conftest import ACTOR, World

__all__ = ["address", "openai"]

pytestmark = pytest.mark.anyio

MANY = "one two three four five six seven eight nine ten"


def hello(text: str = "Hello.") -> list[Any]:
    """Return a conversation as such clients send it: all of it, the new message last."""
    return [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "SAY Earlier."},
        {"role": "assistant", "content": "Earlier."},
        {"role": "user", "content": text},
    ]


def said(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


async def chunks_of(client: AsyncOpenAI, model: str, text: str, **more: Any) -> list[Any]:
    stream = await client.chat.completions.create(
        model=model, messages=hello(text), stream=True, **more
    )
    return [one async for one in stream]


@pytest.mark.rule("streaming-1.8", "api-24", "streaming-1.1")
async def test_a_whole_completion(world: World, address: str, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    answer = await openai.chat.completions.create(
        model=agent.id,
        messages=hello("SAY Good evening."),
        temperature=0.1,
        max_tokens=5,
        seed=1,
        stop=["even"],
    )
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == "Good evening."
    assert choice.finish_reason == "stop"
    assert answer.id.startswith("chatcmpl-run-")
    assert answer.model == "scripted-1"
    assert answer.usage is not None
    run_id = answer.id.removeprefix("chatcmpl-")
    outcome = await world.runner.fold(ACTOR, run_id)
    assert answer.usage.total_tokens == outcome.used.usage.total_tokens > 0
    window = await world.window(agent)
    assert [text_of(one) for one in window[1:]] == ["SAY Good evening.", "Good evening."]

    def ask(client: OpenAI) -> ChatCompletion:
        return client.chat.completions.create(model=agent.id, messages=hello("SAY Again."))

    assert (await blocking(address, ask)).choices[0].message.content == "Again."


@pytest.mark.rule("streaming-1.8", "api-24")
async def test_a_streamed_completion(world: World, address: str, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    text = f'THINK Hm. CALL look {{"at": "it"}} SLOW 15 SAY {MANY}'
    told = await chunks_of(openai, agent.id, text, stream_options={"include_usage": True})
    *spoken, last, counted = told
    assert spoken[0].choices[0].delta.role == "assistant"
    assert spoken[0].choices[0].delta.content
    assert all(one.choices[0].delta.role is None for one in spoken[1:])
    assert all(one.choices[0].delta.tool_calls is None for one in told[:-1])
    assert said(spoken) == MANY
    assert len(spoken) > 1
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert counted.choices == []
    assert counted.usage.total_tokens > 0
    assert {one.id for one in told} == {told[0].id}

    def ask(client: OpenAI) -> list[ChatCompletionChunk]:
        with client.chat.completions.create(
            model=agent.id, messages=hello(f"SAY {MANY}"), stream=True
        ) as stream:
            return list(stream)

    again = await blocking(address, ask)
    assert said(again) == MANY
    assert all(one.usage is None for one in again)


@pytest.mark.rule("streaming-1.8", "G-8")
async def test_the_bytes_of_a_stream(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    body = {"model": agent.id, "messages": hello("SAY Hi."), "stream": True}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *told, done = frames(answer.content)
    assert done == "[DONE]"
    assert answer.content.count(b"[DONE]") == 1
    run_id = answer.headers["x-letta-run-id"]
    assert told[0]["id"] == f"chatcmpl-{run_id}"
    assert told[0]["object"] == "chat.completion.chunk"
    assert [one["choices"][0]["delta"] for one in told] == [
        {"role": "assistant", "content": "Hi."},
        {},
    ]


@pytest.mark.rule("streaming-1.8", "streaming-9.3", "FIX-11")
@pytest.mark.parametrize(
    ("text", "kind", "code", "status"),
    [
        ("FAIL 401", "llm_authentication", "llm_authentication", 401),
        ("FAIL 429", "llm_rate_limit", "llm_rate_limit", 429),
        (f"DROP 3\nSAY {MANY}", "llm_error", None, 500),
    ],
)
async def test_a_model_that_fails_before_and_while_it_speaks(
    world: World, openai: AsyncOpenAI, text: str, kind: str, code: str | None, status: int
) -> None:
    agent = await world.agent()
    heard: list[Any] = []
    stream = await openai.chat.completions.create(model=agent.id, messages=hello(text), stream=True)

    async def hear() -> None:
        async for chunk in stream:
            heard.append(chunk)  # noqa: PERF401 - what came before the failure is wanted

    with pytest.raises(sdk.APIError) as streamed:
        await hear()
    assert streamed.value.type == kind
    assert code in (None, streamed.value.code)
    assert bool(heard) is ("DROP" in text)
    assert all(one.choices[0].finish_reason is None for one in heard)
    with pytest.raises(sdk.APIStatusError) as whole:
        await openai.chat.completions.create(model=agent.id, messages=hello(text))
    assert whole.value.status_code == status
    assert whole.value.type == kind
    assert whole.value.response.headers["x-should-retry"] == "false"
    assert (await chunks_of(openai, agent.id, "SAY Well again."))[-1].choices[0].finish_reason


@pytest.mark.rule("streaming-1.8", "streaming-9.4")
async def test_an_answer_that_was_cut_says_so(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    told = await chunks_of(openai, agent.id, f"LENGTH\nSAY {MANY}")
    assert (said(told), told[-1].choices[0].finish_reason) == (MANY, "length")
    answer = await openai.chat.completions.create(
        model=agent.id, messages=hello(f"LENGTH\nSAY {MANY}")
    )
    assert answer.choices[0].message.content == MANY
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.rule("streaming-1.8", "H3")
async def test_a_call_that_waits_for_an_approval_is_no_silence(
    world: World, openai: AsyncOpenAI
) -> None:
    waits = "[count waits for an approval, which cannot be given here.]"
    text = f"SAY I count. CALLS {json.dumps(ALL[:2])}"
    agents = [await world.agent(tool_rules=CAREFUL) for _ in range(4)]
    whole = await openai.chat.completions.create(model=agents[0].id, messages=hello(text))
    assert whole.choices[0].message.content == waits
    told = await chunks_of(openai, agents[1].id, text)
    assert (said(told), told[-1].choices[0].finish_reason) == (waits, "stop")
    response = await openai.responses.create(model=agents[2].id, input=text)
    assert response.output_text == waits
    stream = await openai.responses.create(model=agents[3].id, input=text, stream=True)
    ended: Any = [one async for one in stream][-1]
    assert ended.response.output_text == waits
    with pytest.raises(sdk.ConflictError) as refused:
        await openai.chat.completions.create(model=agents[0].id, messages=hello())
    assert refused.value.code == "pending_approval"


@pytest.mark.rule("streaming-1.8")
async def test_a_cancelled_run_is_no_answer(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    failures: list[sdk.ConflictError] = []

    async def ask() -> None:
        with pytest.raises(sdk.ConflictError) as refused:
            await openai.chat.completions.create(model=agent.id, messages=hello("CALL wait {}"))
        failures.append(refused.value)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await world.tools.entered.wait()
            await world.runner.cancel(ACTOR, agent_id=agent.id)
    assert failures[0].code == "run_cancelled"


@pytest.mark.rule("streaming-1.8", "G-7")
async def test_a_client_that_leaves_loses_nothing(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    stream = await openai.chat.completions.create(
        model=agent.id, messages=hello(f"SLOW 5\nSAY {MANY}"), stream=True
    )
    first = await anext(aiter(stream))
    await stream.close()
    outcome = await world.runner.fold(ACTOR, first.id.removeprefix("chatcmpl-"))
    assert outcome.reason == "end_turn"
    assert text_of((await world.window(agent))[-1]) == MANY


@pytest.mark.rule("streaming-1.8", "FIX-14", "S57", "S63")
@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "gpt-4o"}, 400, "model"),
        ({"model": None}, 400, "model"),
        ({"model": new("agent")}, 404, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": None}, 400, "messages"),
        ({"messages": "Hello."}, 400, "messages"),
        ({"messages": ["Hello."]}, 400, "messages"),
        ({"messages": [{"role": "assistant", "content": "Hi."}]}, 400, "messages"),
        ({"messages": [{"role": "user"}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, None),
        ({"tools": [{"type": "function"}]}, 400, "tools"),
        ({"functions": [{"name": "f"}]}, 400, "functions"),
        ({"n": 2}, 400, "n"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format"),
        ({"modalities": ["text", "audio"]}, 400, "modalities"),
        ({"logprobs": True}, 400, "logprobs"),
        ({"stream": "sometimes"}, 400, "stream"),
    ],
)
async def test_refused_as_openai_refuses(
    world: World, http: httpx.AsyncClient, change: dict[str, Any], status: int, param: str | None
) -> None:
    agent = await world.agent()
    body = {"model": agent.id, "messages": hello(), **change}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"], bool(error["code"]), bool(error["message"])) == (param, True, True)
    assert len(await world.window(agent)) == 1


async def test_what_cannot_be_read_is_refused_too(http: httpx.AsyncClient) -> None:
    for body in (b"{", b"[]", b""):
        answer = await http.post("/v1/chat/completions", content=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", None)
        assert error["message"].startswith("body: ")


@pytest.mark.rule("streaming-1.8", "api-9.20")
async def test_text_and_images_in_parts(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    data = base64.b64encode(b"\x89PNG").decode()
    parts: list[Any] = [
        {"type": "text", "text": "SAY A cat."},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    answer = await openai.chat.completions.create(
        model=agent.id,
        messages=[{"role": "user", "content": parts, "name": "Bob"}],
        tools=[],
        tool_choice="none",
    )
    assert answer.choices[0].message.content == "A cat."
    asked = (await world.window(agent))[1]
    assert asked.name == "Bob"
    assert asked.content == (Text(text="SAY A cat."), Image(media_type="image/png", data=data))


@pytest.mark.rule("streaming-1.8")
async def test_a_long_message(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    long = "x" * 50_000
    told = await chunks_of(openai, agent.id, f"{long}\nSAY Read.")
    assert said(told) == "Read."
    assert text_of((await world.window(agent))[1]) == f"{long}\nSAY Read."


@pytest.mark.rule("G-12", "streaming-1.8")
async def test_a_busy_agent(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    other = await world.submit(agent, "CALL wait {}")
    with pytest.raises(sdk.ConflictError) as refused:
        await openai.chat.completions.create(model=agent.id, messages=hello())
    assert refused.value.code == "list_busy"
    assert refused.value.response.headers["x-should-retry"] == "false"
    world.tools.gate.set()
    await world.runner.fold(ACTOR, other.run.id)


@pytest.mark.rule("streaming-1.8", "G-6")
async def test_the_clients_own_retry_finds_the_first_run(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    ids: set[str] = set()
    for count in ("0", "1"):
        answer = await http.post(
            "/v1/chat/completions",
            json={"model": agent.id, "messages": hello()},
            headers={"x-stainless-retry-count": count},
        )
        ids.add(answer.json()["id"])
    assert len(ids) == 1


@pytest.mark.rule("streaming-1.8", "api-24")
async def test_who_acts_may_stand_in_the_body(world: World, openai: AsyncOpenAI) -> None:
    agent = await world.agent()
    stranger = new("user")
    async with world.db.write(ACTOR) as tx:
        await tx.execute("INSERT INTO organizations (id, name, created_at) VALUES ('o', 'o', 0)")
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at) VALUES ($1, 'o', 'x', 0)",
            stranger,
        )
    for user in (ACTOR.user_id, new("user"), "somebody@example.com"):
        answer = await openai.chat.completions.create(
            model=agent.id, messages=hello("SAY Yes."), user=user
        )
        assert answer.choices[0].message.content == "Yes."
    with pytest.raises(sdk.NotFoundError):
        await openai.chat.completions.create(model=agent.id, messages=hello(), user=stranger)


@pytest.mark.rule("streaming-1.8")
async def test_models_are_listed_as_before(http: httpx.AsyncClient) -> None:
    assert isinstance((await http.get("/v1/models/")).json(), list)


@pytest.mark.rule("streaming-1.8")
async def test_silence_is_filled_with_comments(
    world: World, http: httpx.AsyncClient, app: Any
) -> None:
    agent = await world.agent()
    app.state.runtime = replace(app.state.runtime, keepalive_s=0.01)
    body = {"model": agent.id, "messages": hello(f"SLOW 40\nSAY {MANY}"), "stream": True}
    answer = await http.post("/v1/chat/completions", json=body)
    assert b": ping\n\n" in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")
