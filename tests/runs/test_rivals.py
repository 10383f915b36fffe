"""Many who speak to one agent at once: one is served, and nothing of the others is kept."""

import asyncio

import pytest

from eunoe.domain.messages import text_of
from eunoe.errors import ListBusy
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


@pytest.mark.rule("G-12")
async def test_who_comes_second_in_the_same_moment_is_told_who_was_first(world: World) -> None:
    agent = await world.agent()

    sent = [world.submit(agent, "CALL wait {}") for _ in range(8)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    (first,) = [one for one in outcomes if not isinstance(one, BaseException)]
    refused = [one for one in outcomes if isinstance(one, ListBusy)]
    assert [one.run_id for one in refused] == [first.run.id] * 7
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, first.run.id)).reason == "end_turn"


@pytest.mark.rule("G-12", "G-3")
async def test_fifty_requests_at_once_lose_nothing_that_was_accepted(world: World) -> None:
    agent = await world.agent()

    async def one(number: int) -> str | None:
        try:
            await world.say(agent, f"SAY number {number}")
        except ListBusy:
            return None
        return f"SAY number {number}"

    accepted = [text for text in await asyncio.gather(*map(one, range(50))) if text]

    said = [text_of(m) for m in await world.window(agent) if m.role == "user"]
    assert sorted(said) == sorted(accepted)
    assert accepted
