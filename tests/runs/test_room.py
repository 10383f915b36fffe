"""A conversation takes little more room on the disk than what is said in it."""

import pytest

from bench.storage import measured

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("engine", "characters"), [("sqlite", 1_500), ("postgresql", 4_000)])
async def test_a_conversation_takes_at_most_three_times_its_text(
    engine: str, characters: int
) -> None:
    said, added = await measured(engine, characters=characters, turns=100)
    assert said >= 45 * characters
    assert sum(added.values()) <= 3 * said
