"""Reasoning from the provider into the history and back, and never to another's model."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from eunoe.domain.events import Shown
from eunoe.domain.messages import Reasoning, SummarizedReasoning, Text
from eunoe.domain.models import ModelConfig
from eunoe.domain.views import Answered, Called, Returned, Thought
from eunoe.engine.ports import Model
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import serving
from tests.fixtures import anthropic_server, google_server, responses_server
from tests.fixtures.anthropic_server import AnthropicServer
from tests.fixtures.google_server import GoogleServer
from tests.fixtures.provider_server import ProviderServer
from tests.fixtures.responses_server import ResponsesServer
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


class SealedEndpoint(Endpoint):
    """OpenAI's own endpoint, which is asked through Responses, wherever it really is."""

    def model(self, config: ModelConfig) -> Model:
        return self._vendor("responses")


SEALS = {
    "anthropic": anthropic_server.SIGNATURE,
    "google_ai": google_server.SIGNATURE,
    "sealed": responses_server.SEALED,
}
KEPT = {
    "anthropic": (Reasoning(text="let me see", signature=anthropic_server.SIGNATURE),),
    "google_ai": (Reasoning(text="let me see"), Text(text="", signature=google_server.SIGNATURE)),
    "sealed": (
        SummarizedReasoning(
            id="rs_1", summary=("let me", "see"), encrypted=responses_server.SEALED
        ),
    ),
}


@asynccontextmanager
async def provided(world: World, name: str) -> AsyncGenerator[tuple[ProviderServer, ModelConfig]]:
    """Add the provider to the world; give its server and how its model is called."""
    made = {"anthropic": AnthropicServer, "google_ai": GoogleServer, "sealed": ResponsesServer}
    server = made[name]()
    async with serving(server.answer) as url:
        provider = ProviderConfig(
            name=name,
            provider_type="openai" if name == "sealed" else name,
            base_url=url if name == "google_ai" else f"{url}/v1",
            api_key="key",
        )
        await world.registry.put((SealedEndpoint if name == "sealed" else Endpoint)(provider))
        config = await world.registry.resolve(f"{name}/{server.models[0]}")
        yield server, replace(config, max_reasoning_tokens=1_024)


@pytest.mark.rule("agent-10.1", "agent-10.4", "R1", "R2", "R12", "R13", "FIX-49")
@pytest.mark.parametrize("name", SEALS)
async def test_sealed_reasoning_is_kept_and_goes_back_to_its_own_model_alone(
    world: World, name: str
) -> None:
    async with provided(world, name) as (server, config):
        agent = await world.agent(model=config)
        submitted = await world.submit(
            agent, "THINK let me see CALL look {} SAY it is tea", stream_tokens=True
        )
        await world.runner.fold(ACTOR, submitted.run.id)
        spoken = (await world.window(agent))[2]
        assert spoken.content == KEPT[name]
        assert [call.name for call in spoken.calls] == ["look"]
        assert SEALS[name] in str(server.requests[1])

        shown = [e.view for _, e in await world.events(submitted.run.id) if isinstance(e, Shown)]
        thoughts = [view for view in shown if isinstance(view.body, Thought)]
        assert {view.message_id for view in thoughts} == {spoken.id}
        told = "".join(view.body.text for view in thoughts if isinstance(view.body, Thought))
        assert told.replace("\n\n", " ") == "let me see"

        await world.say(agent, "SAY hello", override_model="openai/scripted-1")
        foreign = world.model.requests[-1].decode()
        assert SEALS[name] not in foreign
        assert "reasoning" not in foreign

        await world.say(agent, "SAY again")
        assert SEALS[name] in str(server.requests[-1])


@pytest.mark.rule("streaming-2.6", "R2")
@pytest.mark.parametrize("name", ["anthropic"])
async def test_step_by_step_the_same_parts_come_whole(world: World, name: str) -> None:
    async with provided(world, name) as (_, config):
        agent = await world.agent(model=config)
        outcome = await world.say(agent, "THINK let me see CALL look {} SAY it is tea")
    assert [type(view.body) for view in outcome.views] == [Thought, Called, Returned, Answered]
    assert len({view.otid for view in outcome.views[:2]}) == 2


@pytest.mark.rule("L36", "L53", "P40", "P5")
async def test_a_reply_of_reasoning_alone_ends_the_turn_and_is_not_sent_again(world: World) -> None:
    async with provided(world, "anthropic") as (server, config):
        agent = await world.agent(model=config)
        for tokens in (False, True):
            outcome = await world.say(agent, "THINK let me see EMPTY", stream_tokens=tokens)
            assert outcome.reason == "end_turn"
            assert {type(view.body) for view in outcome.views} == {Thought}
            assert (await world.window(agent))[-1].content == KEPT["anthropic"]
        assert (await world.say(agent, "SAY hello")).reason == "end_turn"
        assert SEALS["anthropic"] not in str(server.requests[-1])
        caller = await world.agent(model=config, agent_type="memgpt_agent")
        outcome = await world.say(caller, "THINK let me see EMPTY")
        assert outcome.reason == "no_tool_call"
