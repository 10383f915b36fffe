"""Talking in conversations through the official client, strict about every field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson
from letta_client import AsyncLetta
from letta_client.types import Conversation

from eunoe.domain.agents import Agent
from eunoe.domain.messages import Json
from tests.runs.conftest import World

SCRIPTED: Final = "openai/scripted-1"
OTHER: Final = "openai/gpt-4.1"
SUM_UP: Final[Any] = {"mode": "all", "model": SCRIPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Talks:
    """One agent, and what is said in its lists; `DEFAULT` is its own."""

    world: World
    letta: AsyncLetta
    http: httpx.AsyncClient
    agent: Agent

    async def begin(self, **fields: Any) -> Conversation:
        """Make a conversation; what the client does not know of goes in its body all the same."""
        return await self.letta.conversations.create(agent_id=self.agent.id, extra_body=fields)

    async def say(self, address: str, text: str, **fields: Any) -> list[Any]:
        """Say it and return the events of the answer."""
        stream = await self.letta.conversations.messages.create(
            address, input=text, agent_id=self.agent.id, **fields
        )
        return [event async for event in stream]

    async def window(self, address: str) -> list[str]:
        """Return the ids in the window of a conversation, or of the agent's own list."""
        if address == "default":
            return (await self.letta.agents.retrieve(self.agent.id)).message_ids or []
        return (await self.letta.conversations.retrieve(address)).in_context_message_ids or []

    async def texts(self, address: str, **fields: Any) -> list[str]:
        """Return what user and agent said there, oldest first."""
        page: Any = await self.letta.conversations.messages.list(
            address, agent_id=self.agent.id, order="asc", **fields
        )
        spoken = ("user_message", "assistant_message")
        return [one.content for one in page.items if one.message_type in spoken]

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        return await self.http.request(method, f"/v1/conversations/{path}", **given)

    def asked(self) -> Json:
        """Return the body of the last request to the model."""
        body: Json = orjson.loads(self.world.model.requests[-1])
        return body

    def prompt(self) -> str:
        """Return the system message that the model was sent last."""
        text: str = self.asked()["messages"][0]["content"]
        return text


def kinds(events: Sequence[Any]) -> list[str]:
    return [event.message_type for event in events]


def spoken(events: Sequence[Any]) -> list[str]:
    return [event.content for event in events if event.message_type == "assistant_message"]
