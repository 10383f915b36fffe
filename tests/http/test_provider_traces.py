"""What was exchanged with a model's provider, as the official client gets it."""

import zlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from letta_client import AsyncLetta

from eunoe.domain.events import Finished, ModelEvent, TextDelta
from eunoe.domain.messages import Json
from eunoe.engine.ports import ModelRequest
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.runs.retention import Retention, sweep
from eunoe.runs.runner import Runner
from eunoe.runs.traces import MOST_BYTES, tracing
from eunoe.store.db import Database
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer
from tests.fixtures.anthropic_server import AnthropicServer
from tests.fixtures.apis import brought
from tests.llm.wires import KEY, LANES
from tests.runs.conftest import ACTOR, CountingTools, World, running, toolboxes

pytestmark = [pytest.mark.anyio, pytest.mark.rule("streaming-5.5")]

WORD = "open-sesame"


@pytest.fixture
async def world(database: Database) -> AsyncGenerator[World]:
    """One that keeps traces, with a provider of our own adapter and one of a vendor's library."""
    model, tools = ModelServer(), CountingTools()
    async with serving(model.answer) as chat, serving(AnthropicServer().answer) as vendor:
        providers = [
            ProviderConfig(name=name, provider_type=name, base_url=f"{url}/v1", api_key=KEY)
            for name, url in (("openai", chat), ("anthropic", vendor))
        ]
        registry = Registry([Endpoint(one) for one in providers])
        models = brought(registry, database)
        runner = Runner(
            database, models=models, toolboxes=toolboxes(tools), grace_s=0.2, trace=tracing([WORD])
        )
        async with running(runner):
            yield World(
                db=database,
                registry=registry,
                brought=models,
                model=model,
                tools=tools,
                runner=runner,
            )
        await models.aclose()
        await registry.aclose()


@pytest.mark.parametrize("lane", ["own", "vendor"])
async def test_a_step_has_what_its_model_was_asked_and_answered(
    world: World, strict: AsyncLetta, http: httpx.AsyncClient, lane: str
) -> None:
    agent = await world.agent(**({} if lane == "own" else {"model": LANES["anthropic"].config}))
    await world.say(agent, f'CALL look {{"at": "{WORD}"}}', stream_tokens=True)
    last, first = [step async for step in strict.steps.list(agent_id=agent.id)]
    called, ended = [await strict.steps.trace.retrieve(one.id) for one in (first, last)]
    assert called
    assert ended
    assert (called.step_id, called.run_id, called.agent_id) == (first.id, first.run_id, agent.id)
    assert called.call_type == "agent_step"
    assert called.latency_ms is not None
    raw = (await http.get(f"/v1/steps/{first.id}/trace")).json()
    assert raw["created_at"].endswith("Z")
    assert called.request_json["model"] == first.model
    assert called.request_json["stream"] is True
    assert len(str(ended.request_json["messages"])) > len(str(called.request_json["messages"]))
    answered: Any = called.response_json
    (call,) = answered["tool_calls"]
    assert call["name"] == "look"
    assert call["arguments"].replace(" ", "") == '{"at":"[redacted]"}'
    assert answered["finish_reason"] == "tool_calls"
    usage: Any = ended.response_json["usage"]
    assert usage["total_tokens"] == last.total_tokens
    everything = f"{called} {ended}"
    assert KEY not in everything
    assert WORD not in everything


async def test_a_long_request_is_cut_with_a_note(world: World, strict: AsyncLetta) -> None:
    config = await world.registry.resolve("openai/scripted-1")
    agent = await world.agent(model=replace(config, context_window=10_000_000))
    await world.say(agent, "SAY hello " + '"' * MOST_BYTES)
    (step,) = [step async for step in strict.steps.list(agent_id=agent.id)]
    trace = await strict.steps.trace.retrieve(step.id)
    assert trace
    assert set(trace.request_json) == {"note", "start"}
    assert len(str(trace.request_json["start"])) > MOST_BYTES // 4
    async with world.db.read(ACTOR) as tx:
        size = await tx.fetch_value("SELECT bytes FROM provider_traces")
    assert MOST_BYTES // 2 < size <= 2 * MOST_BYTES


async def test_a_failed_call_leaves_no_trace(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent()
    await world.say(agent, "FAIL 400")
    (step,) = [step async for step in strict.steps.list(agent_id=agent.id)]
    assert step.status == "failed"
    assert await strict.steps.trace.retrieve(step.id) is None


class Broken:
    """A model that answers, and that cannot say what it was sent."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        yield TextDelta(text=request.config.model)
        yield Finished(reason="stop")

    async def preview(self, request: ModelRequest) -> Json:
        raise LookupError(request.config.model)


@pytest.mark.rule("G-23")
async def test_a_trace_that_cannot_be_made_changes_no_reply() -> None:
    traced = tracing([])(Broken())
    request = ModelRequest(config=LANES["chat"].config, messages=())
    said = [event async for event in traced.stream(request)]
    assert said == [TextDelta(text=request.config.model), Finished(reason="stop")]
    assert traced.exchange
    assert b"not known" in zlib.decompress(traced.exchange.request)
    assert request.config.model.encode() in zlib.decompress(traced.exchange.response)


@pytest.mark.rule("G-22")
async def test_a_trace_goes_when_events_do(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent()
    await world.say(agent, "Hello.")
    (step,) = [step async for step in strict.steps.list(agent_id=agent.id)]
    kept = Retention(events=timedelta(hours=1))
    for hours, is_there in ((0.9, True), (1.1, False)):
        await sweep(world.db, kept, now=datetime.now(UTC) + timedelta(hours=hours))
        assert (await strict.steps.trace.retrieve(step.id) is not None) is is_there
