"""Links of agents that are brought in many at a time: their blocks and tools, in order."""

from collections.abc import Sequence

from eunoe.domain.agent_files import AgentRecord
from eunoe.domain.blocks import Block
from eunoe.store.db import Tx


async def link(tx: Tx, records: Sequence[AgentRecord], blocks: dict[str, Block]) -> None:
    """Give new agents their blocks and tools, in order, each once; all of them are stored."""
    await tx.execute_many(
        "INSERT INTO agents_blocks (agent_id, block_id, label, position) VALUES ($1, $2, $3, $4)",
        [
            (record.agent.id, block_id, blocks[block_id].label, place)
            for record in records
            for place, block_id in enumerate(record.block_ids, 1)
        ],
    )
    await tx.execute_many(
        "INSERT INTO agents_tools (agent_id, tool_id, position) VALUES ($1, $2, $3)",
        [
            (record.agent.id, tool_id, place)
            for record in records
            for place, tool_id in enumerate(dict.fromkeys(record.tool_ids), 1)
        ],
    )
