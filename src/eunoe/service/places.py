"""Where something is said: in an agent's own list, or in a conversation with it (streaming 6.3)."""

from dataclasses import dataclass, replace

from eunoe.domain.agents import Agent
from eunoe.domain.conversations import Conversation, voiced
from eunoe.domain.models import ModelConfig
from eunoe.errors import AgentUnnamed
from eunoe.ids import is_id
from eunoe.service.models import Models
from eunoe.store import conversations
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`listed` is the conversation's model as its provider lists it, null where it names none."""

    agent_id: str
    conversation: Conversation | None = None
    listed: ModelConfig | None = None

    @property
    def conversation_id(self) -> str | None:
        return None if self.conversation is None else self.conversation.id

    @property
    def list_id(self) -> str:
        return self.conversation_id or self.agent_id

    def voice(self, agent: Agent) -> Agent:
        """Return the agent as it speaks here."""
        if self.conversation is None:
            return agent
        return voiced(agent, self.conversation, listed=self.listed)


async def at(db: Database, actor: Actor, address: str, *, agent_id: str | None) -> Place:
    """Return the place of a conversation's id, of an agent's, or of `default` with `agent_id`.

    Raises `AgentUnnamed` for `default` alone, `Missing` for an unknown conversation. An
    agent is not looked up.
    """
    if is_id("conversation", address):
        async with db.read(actor) as tx:
            conversation = await known(tx, address)
        return Place(agent_id=conversation.agent_id, conversation=conversation)
    if address != DEFAULT:
        return Place(agent_id=address)
    if agent_id is None:
        raise AgentUnnamed
    return Place(agent_id=agent_id)


async def known(tx: Tx, conversation_id: str, *, held: bool = False) -> Conversation:
    """Return the conversation; raise `Missing` for an unknown, foreign or deleted one."""
    return there(
        await conversations.get(tx, conversation_id, held=held), "conversation", conversation_id
    )


async def with_model(place: Place, *, models: Models) -> Place:
    """Return the place with its model looked up; raise `ModelUnknown` where nobody serves it."""
    if place.conversation is None or place.conversation.model is None:
        return place
    return replace(place, listed=await models.resolve(place.conversation.model))
