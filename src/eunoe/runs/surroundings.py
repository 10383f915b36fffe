"""What an agent's custom tools may know of it, from the store; and who runs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from eunoe.domain.blocks import Block
from eunoe.store import isolated_blocks, secrets
from eunoe.store.db import Actor, Database
from eunoe.tools.programs import Executor, NoExecutor

Executors: TypeAlias = Callable[[Actor], Executor]
"""Gives each organization what runs its programs."""


def no_executor(actor: Actor) -> Executor:
    del actor
    return NoExecutor()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSurroundings:
    """What a tool called in this conversation, or outside of one, is shown of the agent."""

    db: Database
    actor: Actor
    agent_id: str
    conversation_id: str | None

    async def secrets(self) -> Mapping[str, str]:
        """Return the variables that the agent's tools find in their environment (api 6.14)."""
        async with self.db.read(self.actor) as tx:
            return await secrets.values_of(tx, self.agent_id)

    async def blocks(self) -> tuple[Block, ...]:
        async with self.db.read(self.actor) as tx:
            return await isolated_blocks.seen(
                tx, self.agent_id, conversation_id=self.conversation_id
            )
