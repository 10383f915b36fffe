"""Many agents and people write into one block at once; nothing that anybody wrote is lost."""

import asyncio
from functools import partial

import pytest

from tests.multi.conftest import Served, call, eventually

pytestmark = pytest.mark.anyio

AGENTS = 6
LINES = 3


@pytest.mark.rule("FIX-27", "M6")
async def test_edits_of_one_block_at_once_are_all_kept(served: Served) -> None:
    block = await served.letta.blocks.create(label="board", value="start")
    agents = [
        await served.agent(tools=["core_memory_append"], block_ids=[block.id])
        for _ in range(AGENTS)
    ]

    async def write(place: int) -> None:
        for line in range(LINES):
            text = f"agent {place} line {line};"
            edit = call("core_memory_append", label="board", content=text)
            assert await served.told(agents[place].id, edit) is not None

    async def written(label: str) -> bool:
        return label in (await served.letta.blocks.retrieve(block.id)).value

    async def person() -> None:
        """Write as the API has it: what was read, and a line; again where somebody was faster."""
        for line in range(LINES):
            label = f"agent {line} line 0;"
            await eventually(partial(written, label))
            patched = {"description": f"described {line}"}
            while (
                reply := await served.http.patch(f"/v1/blocks/{block.id}", json=patched)
            ).status_code == 409:
                assert reply.json()["detail"].startswith("CONFLICT: ")
            assert reply.status_code == 200

    async with asyncio.TaskGroup() as group:
        for place in range(AGENTS):
            group.create_task(write(place))
        group.create_task(person())
    board = await served.letta.blocks.retrieve(block.id)
    wanted = {f"agent {place} line {line};" for place in range(AGENTS) for line in range(LINES)}
    assert set(board.value.splitlines()) == {"start", *wanted}
    assert board.description == f"described {LINES - 1}"
    for agent in agents:
        held = await served.letta.agents.blocks.retrieve("board", agent_id=agent.id)
        assert held.value == board.value
