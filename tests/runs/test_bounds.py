"""What a run costs the database and the memory: the same, however much there has been before."""

import gc
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from bench.footprint import Counting
from eunoe.domain import messages
from eunoe.runs.runner import Runner
from eunoe.store.db import Database
from tests.runs.conftest import ACTOR, World, running, toolboxes

pytestmark = pytest.mark.anyio

MOST_PER_STEP = 20


@pytest.fixture
async def counting(world: World) -> AsyncGenerator[Counting]:
    """Counts what the world's runner asks of the database."""
    await world.runner.stop()
    counting = Counting(world.db)
    world.runner = Runner(
        cast("Database", counting),
        models=world.brought,
        toolboxes=toolboxes(world.tools),
        grace_s=0.2,
    )
    async with running(world.runner):
        yield counting


@pytest.mark.rule("G-25")
async def test_the_statements_of_a_step_are_few_and_always_as_many(
    world: World, counting: Counting
) -> None:
    agent, other = await world.agent(), await world.agent()

    async def asked(text: str) -> int:
        """Return how many statements a turn takes; a reader that looks by itself adds some."""
        found: list[int] = []
        for _ in range(3):
            before = counting.statements
            assert (await world.say(agent, text)).reason == "end_turn"
            found.append(counting.statements - before)
        return min(found)

    first, six = await asked("SAY hi"), await asked("STEPS 5")
    assert first <= MOST_PER_STEP
    assert six <= 6 * MOST_PER_STEP
    await world.say(agent, *(f"SAY {number}" for number in range(300)))
    for number in range(20):
        await world.say(other, f"SAY {number}")
    world.tools.more = tuple(f"tool_{number}" for number in range(50))
    assert (await asked("SAY hi"), await asked("STEPS 5")) == (first, six)


@pytest.mark.rule("G-22")
async def test_runs_that_are_over_leave_nothing_in_memory(world: World) -> None:
    """But for the window of their agent, which is kept while there is room, and grows."""
    agent = await world.agent()

    async def ended(count: int) -> set[str]:
        submitted: set[str] = set()
        for number in range(count):
            run = (await world.submit(agent, f"SAY {number}", stream_tokens=True)).run
            submitted.add(run.id)
            await world.runner.fold(ACTOR, run.id)
        return submitted

    await ended(5)
    before = _kept()
    over = await ended(50)
    grown = _kept() - before
    assert {kind: more for kind, more in grown.items() if more > 5} == {}
    assert [kept for kept in _containers() if not over.isdisjoint(kept)] == [over]


def _kept() -> Counter[str]:
    """Count what there is of our own types, messages aside."""
    gc.collect()
    kinds = cast("list[type[object]]", [type(one) for one in gc.get_objects()])
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in kinds
        if str(kind.__module__).startswith("eunoe.") and kind.__module__ != messages.__name__
    )


def _containers() -> list[Any]:
    """Return everything in which something is found by its name."""
    gc.collect()
    kinds = {dict, set, OrderedDict, defaultdict}
    return [one for one in gc.get_objects() if type(one) in kinds and len(one) > 0]
