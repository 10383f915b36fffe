"""What an agent's custom tools may know of it, from the store; and who runs them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from eunoe.domain.blocks import Block
from eunoe.store import isolated_blocks
from eunoe.store.db import Actor, Database
from eunoe.tools.programs import Executor, NoExecutor

Executors: TypeAlias = Callable[[Actor], Executor]
"""Gives each organization what runs its programs."""
SecretsOf: TypeAlias = Callable[[Actor, str], Awaitable[Mapping[str, str]]]
"""Reads the variables that an agent's tools find in their environment."""


def no_executor(actor: Actor) -> Executor:
    del actor
    return NoExecutor()


async def no_secrets(actor: Actor, agent_id: str) -> Mapping[str, str]:
    del actor, agent_id
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSurroundings:
    """What a tool called in this conversation, or outside of one, is shown of the agent."""

    db: Database
    actor: Actor
    agent_id: str
    conversation_id: str | None
    secrets_of: SecretsOf = no_secrets

    async def secrets(self) -> Mapping[str, str]:
        return await self.secrets_of(self.actor, self.agent_id)

    async def blocks(self) -> tuple[Block, ...]:
        async with self.db.read(self.actor) as tx:
            return await isolated_blocks.seen(
                tx, self.agent_id, conversation_id=self.conversation_id
            )
