"""Queries on the blocks that a conversation has for itself, in place of its agent's (api 11.6)."""

from collections.abc import Mapping, Sequence

from eunoe.domain.blocks import Block, overlaid
from eunoe.errors import BlockExists
from eunoe.store import blocks, own
from eunoe.store.codec import encode
from eunoe.store.db import Tx, UniqueViolated, among, unindexed


async def insert(tx: Tx, conversation_id: str, copies: Sequence[Block]) -> None:
    """Store new blocks as the conversation's own; their labels differ."""
    for block in copies:
        await blocks.insert(tx, block)
    await link(tx, {conversation_id: copies})


async def link(tx: Tx, copies: Mapping[str, Sequence[Block]]) -> None:
    """Make stored blocks, which nobody else has, the own ones of conversations, by their ids."""
    await tx.execute_many(
        "INSERT INTO conversations_blocks (conversation_id, block_id, label, position)"
        " VALUES ($1, $2, $3, $4)",
        [
            (conversation_id, block.id, block.label, place)
            for conversation_id, mine in copies.items()
            for place, block in enumerate(mine, 1)
        ],
    )


async def seen(tx: Tx, agent_id: str, *, conversation_id: str | None) -> tuple[Block, ...]:
    """Return the blocks that the agent has before it: in a conversation, its copies too (L10)."""
    shared = await blocks.of_agent(tx, agent_id)
    if conversation_id is None:
        return tuple(shared)
    return overlaid(shared, await of(tx, conversation_id))


async def of(tx: Tx, conversation_id: str) -> list[Block]:
    """Return the conversation's own blocks, in their order."""
    return await own.select(
        tx,
        blocks.BLOCKS,
        "JOIN conversations_blocks ON conversations_blocks.block_id = blocks.id"
        " WHERE conversations_blocks.conversation_id = $1"
        f" AND {unindexed('blocks.organization_id')} = $2"
        " ORDER BY conversations_blocks.position",
        conversation_id,
        tx.actor.organization_id,
    )


async def ids(tx: Tx, conversation_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of each conversation's own blocks, in one statement."""
    rows = await tx.fetch(
        "SELECT conversation_id, block_id FROM conversations_blocks"
        f" WHERE conversation_id {among(tx, '$1')} ORDER BY conversation_id, position",
        encode(list(conversation_ids)),
    )
    found: dict[str, list[str]] = {one: [] for one in conversation_ids}
    for conversation_id, block_id in rows:
        found[conversation_id].append(block_id)
    return found


async def relabel(tx: Tx, block: Block) -> None:
    """Let a renamed block keep its place; raise `BlockExists` where its new label is taken."""
    try:
        await tx.execute(
            "UPDATE conversations_blocks SET label = $1 WHERE block_id = $2", block.label, block.id
        )
    except UniqueViolated as error:
        text = f"The conversation already has a block with the label `{block.label}`."
        raise BlockExists(text, label=block.label) from error


async def delete(tx: Tx, conversation_id: str) -> None:
    """Remove the conversation's own blocks for good."""
    await tx.execute(
        f"DELETE FROM blocks WHERE {unindexed('organization_id')} = $2 AND id IN"
        " (SELECT block_id FROM conversations_blocks WHERE conversation_id = $1)",
        conversation_id,
        tx.actor.organization_id,
    )
