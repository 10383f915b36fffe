"""What a conversation leaves on the disk once its streams have been swept."""

import pytest

from eunoe.store.db import Tx
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio

WORDS = "A letter from the garden says that the river was high in spring. "


async def size(tx: Tx) -> int:
    if tx.dialect == "postgresql":
        await tx.execute("ANALYZE")
    sql = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if tx.dialect == "sqlite"
        else "SELECT SUM(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
    )
    return int(await tx.fetch_value(sql))


@pytest.mark.rule("G-22")
@pytest.mark.parametrize(("repeated", "turns", "times"), [(60, 12, 2), (14, 24, 6), (4, 40, 12)])
async def test_swept_streams_leave_no_room_taken(
    world: World, repeated: int, turns: int, times: int
) -> None:
    """A stream of a long reply is many events; none of them, nor their pages, stay.

    Long turns take hardly more than their text. Of short ones the keys are the larger part.
    """
    agent = await world.agent()
    words = WORDS * repeated
    sizes: list[int] = []
    for _ in range(2):
        for _ in range(turns):
            await world.say(agent, f"SAY {words}", stream_tokens=True)
        async with world.db.write(ACTOR) as tx:
            assert await tx.fetch_value("SELECT COUNT(*) FROM run_events") > turns
            await tx.execute("UPDATE runs SET completed_at = 0")
        await world.runner.sweep()
        async with world.db.read(ACTOR) as tx:
            assert await tx.fetch_value("SELECT COUNT(*) FROM run_events") == 0
            sizes.append(await size(tx))
            if tx.dialect == "sqlite":
                assert await tx.fetch_value("PRAGMA freelist_count") == 0
    if world.db.dialect == "sqlite":
        # Half of it is said by the user: each text is stored once, and indexed by its words.
        assert sizes[1] - sizes[0] <= times * 2 * turns * len(words)
