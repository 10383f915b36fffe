"""Tools by which agents speak with each other (agent 7.8), and with their group (G8)."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import anyio

from eunoe.domain.messages import Json
from eunoe.domain.peers import NO_RESPONSE
from eunoe.errors import EunoeError, ToolArgumentsInvalid
from eunoe.tools import fields

_AT_ONCE: Final = 8
_DELIVERED: Final = "The message was delivered; the agent will read it by itself."

WAITING: Final = "send_message_to_agent_and_wait_for_reply"
BY_TAGS: Final = "send_message_to_agents_matching_tags"
ASYNC: Final = "send_message_to_agent_async"
BROADCAST: Final = "send_message_to_all_agents_in_group"


class Peers(Protocol):
    """The other agents of the server, as one of them reaches them during a run."""

    async def ask(self, agent_id: str, text: str) -> tuple[str, ...]:
        """Send `text` and return what is answered; raise `EunoeError` for no delivery or answer.

        One that is cancelled while it waits takes the other's run with it.
        """
        ...

    async def tell(self, agent_id: str, text: str) -> None:
        """Send `text` and wait for nothing but its delivery; raise `EunoeError` without one."""
        ...

    async def tagged(self, *, every: Sequence[str], some: Sequence[str]) -> tuple[str, ...]:
        """Return all other agents with every one of the first and any of the second tags."""
        ...

    async def members(self) -> tuple[str, ...]:
        """Return the agents of the group that this agent manages, in order; none without one."""
        ...


def peer_tool(name: str, peers: Peers) -> Callable[[Json], Awaitable[object]] | None:
    """Return what runs the tool `name`, null where it is none of these."""

    async def waiting(arguments: Json) -> str:
        agent_id = fields.text(arguments, "other_agent_id", of=WAITING).strip()
        said = await peers.ask(agent_id, _message(arguments, of=WAITING))
        return json.dumps(_reply(agent_id, said), ensure_ascii=False)

    async def unattended(arguments: Json) -> str:
        agent_id = fields.text(arguments, "other_agent_id", of=ASYNC).strip()
        await peers.tell(agent_id, _message(arguments, of=ASYNC))
        return _DELIVERED

    async def by_tags(arguments: Json) -> str:
        every = fields.texts(arguments, "match_all", of=BY_TAGS)
        some = fields.texts(arguments, "match_some", of=BY_TAGS)
        text = _message(arguments, of=BY_TAGS)
        if not every and not some:
            raise ToolArgumentsInvalid(
                "Name tags in `match_all` or `match_some`: without any, every agent of the "
                "server would be written to."
            )
        return await _asked(peers, await peers.tagged(every=every, some=some), text)

    async def broadcast(arguments: Json) -> str:
        text = _message(arguments, of=BROADCAST)
        return await _asked(peers, await peers.members(), text)

    tools: dict[str, Callable[[Json], Awaitable[object]]] = {
        WAITING: waiting,
        ASYNC: unattended,
        BY_TAGS: by_tags,
        BROADCAST: broadcast,
    }
    return tools.get(name)


def _message(arguments: Json, *, of: str) -> str:
    text = fields.text(arguments, "message", of=of)
    if not text.strip():
        raise ToolArgumentsInvalid("`message` is empty; there is nothing to send.")
    return text


async def _asked(peers: Peers, agent_ids: Sequence[str], text: str) -> str:
    """Ask all of them, a few at a time; one that fails says so in its place (X41, FIX-65)."""
    said: dict[str, tuple[str, ...]] = {}
    room = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(agent_id: str) -> None:
        async with room:
            try:
                said[agent_id] = await peers.ask(agent_id, text)
            except EunoeError as error:
                said[agent_id] = (f"<error: {error}>",)

    async with anyio.create_task_group() as group:
        for agent_id in agent_ids:
            group.start_soon(ask, agent_id)
    replies = [_reply(agent_id, said[agent_id]) for agent_id in agent_ids]
    return json.dumps(replies, ensure_ascii=False)


def _reply(agent_id: str, said: tuple[str, ...]) -> Json:
    return {"agent_id": agent_id, "response": list(said) or [NO_RESPONSE]}
