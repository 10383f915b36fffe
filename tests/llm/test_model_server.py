"""The public fakes: the scripted server, and the scripted model of one process."""

import asyncio
import math
import sys

import httpx
import pytest

from eunoe.domain.events import Finished
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import ModelKeyRefused, ModelOverloaded, ModelReplyCut
from eunoe.testing.model_server import ServerOptions, scripted_model_server
from eunoe.testing.scripted import ScriptedEmbedder, ScriptedModel, call, cut, say
from eunoe.testing.vectors import vector
from tests.llm.talk import (
    ECHO,
    NOOP,
    asking,
    calls_in,
    chat_at,
    finish_of,
    message,
    said,
    text_in,
    thought_in,
)

pytestmark = pytest.mark.anyio

SEND = type(NOOP)(
    name="send_message",
    description="Says it.",
    parameters={
        "type": "object",
        "properties": {"message": {"type": "string"}, "request_heartbeat": {"type": "boolean"}},
        "required": ["message"],
    },
)


async def test_the_fakes_are_what_the_engine_takes() -> None:
    model: Model = ScriptedModel(say("hello there"), call(("noop", {"a": "x"}), text="so"))
    embedder: Embedder = ScriptedEmbedder(dimensions=8)
    first = [event async for event in model.stream(asking())]
    second = [event async for event in model.stream(asking("again"))]
    assert text_in(first) == "hello there"
    assert [(name, arguments) for _, name, arguments in calls_in(second)] == [("noop", '{"a":"x"}')]
    assert isinstance(model, ScriptedModel)
    assert [r.messages[-1].content[0] for r in model.requests] == [
        message("user", "hello").content[0],
        message("user", "again").content[0],
    ]
    (one, same) = await embedder.embed(["tea", "tea"], purpose="store")
    assert one == same


async def test_a_script_can_fail_break_off_and_run_out() -> None:
    model = ScriptedModel(ModelOverloaded(), cut(say("a b c"), after=2), lambda _: say("made"))
    with pytest.raises(ModelOverloaded):
        await said(model, asking())
    assert not any(isinstance(event, Finished) for event in await said(model, asking()))
    assert text_in(await said(model, asking())) == "made"
    with pytest.raises(AssertionError, match="no reply to request 4"):
        await said(model, asking())
    assert text_in(await said(ScriptedModel(always=say("yes")), asking())) == "yes"


async def test_answers_go_through_send_message_where_it_is_offered() -> None:
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, asking("SAY hi there", tools=[SEND, NOOP]))
        assert [(n, a) for _, n, a in calls_in(events)] == [
            ("send_message", '{"message":"hi there","request_heartbeat":false}')
        ]
        events = await said(model, asking("CALL noop {}", tools=[SEND, NOOP]))
        assert [name for _, name, _ in calls_in(events)] == ["noop"]


async def test_what_the_user_says_may_be_in_an_envelope() -> None:
    text = '{"type": "user_message", "message": "THINK so SAY hi", "time": "now"}'
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, asking(text))
    assert (thought_in(events), text_in(events)) == ("so", "hi")


async def test_equal_requests_get_equal_answers() -> None:
    async with scripted_model_server(ServerOptions(words=7)) as url, chat_at(url) as model:
        first, second = [text_in(await said(model, asking())) for _ in range(2)]
        assert first == second
        assert len(first.split()) == 7
        steps = await said(model, asking("STEPS 2", tools=[ECHO]))
    assert [name for _, name, _ in calls_in(steps)] == ["echo"]


async def test_faults_can_be_set_for_the_requests_to_come() -> None:
    async with scripted_model_server() as url, chat_at(url) as model, httpx.AsyncClient() as http:
        control = url.replace("/v1", "/control")
        fault = {"how": "drop", "after": 1, "match": "tea", "skip": 1, "count": 1}
        await http.post(control, json={"fault": fault, "words": 3})
        await said(model, asking("some tea"))
        await said(model, asking("coffee"))
        with pytest.raises(ModelReplyCut):
            await said(model, asking("some tea"))
        await said(model, asking("some tea"))
        await http.post(control, json={"fault": {"how": "fail", "status": 503, "count": 1}})
        assert finish_of(await said(model, asking())) == "stop"
        stats = (await http.get(url.replace("/v1", "/stats"))).json()
        requests = (await http.get(url.replace("/v1", "/requests"))).json()
    assert stats["faults"] == 2
    assert stats["/v1/chat/completions"] == 6
    assert requests[0]["messages"][-1]["content"] == "some tea"


async def test_a_hanging_reply_can_be_let_go() -> None:
    async with scripted_model_server() as url, chat_at(url) as model, httpx.AsyncClient() as http:
        hanging = asyncio.create_task(said(model, asking("HANG 1")))
        control = url.replace("/v1", "/control")
        async with asyncio.timeout(5):
            while not hanging.done():
                await http.post(control, json={"release": True})
        with pytest.raises(ModelReplyCut):
            await hanging


async def test_a_key_can_be_asked_for() -> None:
    async with scripted_model_server(ServerOptions(api_key="sk-right-key")) as url:
        async with chat_at(url, api_key="sk-right-key") as model:
            assert text_in(await said(model, asking("SAY in"))) == "in"
        async with chat_at(url, api_key="sk-wrong-key") as model:
            with pytest.raises(ModelKeyRefused):
                await said(model, asking())


def test_texts_that_share_words_are_near() -> None:
    def likeness(left: str, right: str) -> float:
        pairs = zip(vector(left, dimensions=256), vector(right, dimensions=256), strict=True)
        return sum(a * b for a, b in pairs)

    assert math.isclose(likeness("green tea", "tea green"), 1.0)
    assert likeness("she likes green tea", "who likes tea?") > likeness(
        "she likes green tea", "a car"
    )


async def test_it_runs_as_a_program() -> None:
    command = [sys.executable, "-m", "eunoe.testing.model_server", "--port", "0", "--words", "2"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            url = (await process.stdout.readline()).decode().strip()
            async with chat_at(url) as model:
                assert len(text_in(await said(model, asking())).split()) == 2
    finally:
        process.terminate()
        await process.wait()
