"""The first messages of a new agent: the system message, then what the caller put there (6.13)."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.drafts import OpeningMessage
from eunoe.domain.envelopes import alert_envelope, user_envelope
from eunoe.domain.messages import Message, Part, Text
from eunoe.domain.prompt import PromptFacts, system_text


def first_messages(
    agent: Agent, blocks: Sequence[Block], opening: Sequence[OpeningMessage], *, at: datetime
) -> list[Message]:
    """Return the messages a new agent starts with; the first is always the system message."""
    facts = PromptFacts(conversation_id=None, recompiled_at=at, recalled=0, archived=0)
    system = system_message(agent, system_text(agent, blocks, facts), at=at)
    return [system, *(_message(agent, one, at=at) for one in opening)]


def system_message(agent: Agent, text: str, *, at: datetime) -> Message:
    return Message(
        id=ids.new("message"),
        role="system",
        agent_id=agent.id,
        model=agent.model.model,
        content=(Text(text=text),),
        created_at=at,
    )


def _message(agent: Agent, said: OpeningMessage, *, at: datetime) -> Message:
    """Return an entry as it is kept: what comes from outside is wrapped.

    What the agent is made to have said is plain text, because that is how it speaks; a
    call of a message tool that it does not have would teach it to call one.
    """
    text, others = _divided(said.content)
    match said.role:
        case "user":
            text = user_envelope(text, at=at, timezone=agent.timezone, name=said.name)
        case "system":
            text = alert_envelope(text, at=at, timezone=agent.timezone)
        case "assistant":
            pass
        case _:
            assert_never(said.role)
    return Message(
        id=ids.new("message"),
        role=said.role,
        agent_id=agent.id,
        model=agent.model.model if said.role == "assistant" else None,
        content=(Text(text=text), *others),
        name=said.name,
        otid=said.otid,
        sender_id=said.sender_id,
        group_id=said.group_id,
        created_at=at,
    )


def _divided(content: Sequence[Part]) -> tuple[str, tuple[Part, ...]]:
    """Return the text of a message and its other parts."""
    text = "\n\n".join(part.text for part in content if isinstance(part, Text))
    return text, tuple(part for part in content if not isinstance(part, Text))
