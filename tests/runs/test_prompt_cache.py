"""Consecutive requests begin alike, so that a provider reads most of each from its cache."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest

from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.domain.systems import default_system
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.sources import Endpoint
from eunoe.store.db import Dialect
from eunoe.testing.http_server import serving
from tests.fixtures.anthropic_server import AnthropicServer
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio
TURNS = 50
EDIT_EVERY = 5
WORDS = "and more of what there is to say about it " * 8


def in_cache_order(body: bytes) -> bytes:
    """Return a request as providers cache it: tools, system text, messages; marks are no text."""
    wanted: Json = orjson.loads(body)
    return b"\n".join(
        orjson.dumps(_unmarked(part))
        for part in (*(wanted.get("tools") or ()), wanted.get("system"), *wanted["messages"])
    )


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("Json", value)
        return {name: _unmarked(one) for name, one in named.items() if name != "cache_control"}
    return (
        [_unmarked(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value
    )


def begun_alike(old: bytes, new: bytes) -> int:
    """Return how many bytes at the start are the same."""
    return bisect_right(
        range(min(len(old), len(new))), 0, key=lambda n: old[: n + 1] != new[: n + 1]
    )


def shared(pairs: Sequence[tuple[bytes, bytes]]) -> float:
    """Return which part of all input bytes had stood at the start of the request before."""
    same = sum(begun_alike(*pair) for pair in pairs)
    return same / sum(len(new) for _, new in pairs)


def system_of(body: bytes) -> object:
    wanted: Json = orjson.loads(body)
    return _unmarked(wanted.get("system")) or wanted["messages"][0]


async def _talked(world: World, config: ModelConfig) -> None:
    agent = await world.agent(model=config, system=default_system("letta_v1_agent"))
    for turn in range(TURNS):
        edits = turn % EDIT_EVERY == EDIT_EVERY - 1
        fact = f'{{"label": "human", "content": "Fact {turn}."}}'
        asked = f"CALL core_memory_append {fact}" if edits else f"Turn {turn}."
        outcome = await world.say(agent, f"{asked} SAY Answer {turn}: {WORDS}")
        assert outcome.reason == "end_turn"


@pytest.mark.rule("P19", "L22")
@pytest.mark.parametrize(("dialect", "wire"), [("sqlite", "chat"), ("postgresql", "anthropic")])
async def test_all_but_what_an_edit_changes_is_read_again_over_fifty_turns(
    world: World, dialect: Dialect, wire: str
) -> None:
    assert world.db.dialect == dialect
    server = AnthropicServer()
    async with serving(server.answer) as url:
        provider = ProviderConfig(
            name="anthropic", provider_type="anthropic", base_url=f"{url}/v1", api_key="key"
        )
        await world.registry.put(Endpoint(provider))
        handle = "openai/scripted-1" if wire == "chat" else "anthropic/claude-haiku-4-5"
        config = await world.registry.resolve(handle)
        await _talked(world, replace(config, enable_reasoner=False))
    bodies = list(world.model.requests if wire == "chat" else server.bodies)
    assert len(bodies) == TURNS + TURNS // EDIT_EVERY
    steps = list(pairwise(bodies))
    # An edit is seen by the very next request; nothing else ever touches what came before.
    edited = [step for step in steps if system_of(step[0]) != system_of(step[1])]
    assert len(edited) == TURNS // EDIT_EVERY
    asked = [(in_cache_order(old), in_cache_order(new)) for old, new in steps]
    frozen = [pair for step, pair in zip(steps, asked, strict=True) if step not in edited]
    assert shared(frozen) >= 0.95
    assert shared(asked) >= 0.8
    instructions = len(default_system("letta_v1_agent"))
    rebuilt = [pair for step, pair in zip(steps, asked, strict=True) if step in edited]
    assert all(begun_alike(*pair) > instructions for pair in rebuilt)
