"""The first messages of a new agent: the system message, then what the caller put there (6.13)."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from eunoe import ids
from eunoe.domain.agents import KEEPERS, PLAIN_TEXT, Agent
from eunoe.domain.blocks import Block
from eunoe.domain.drafts import OpeningMessage
from eunoe.domain.envelopes import alert_envelope, login_envelope, user_envelope
from eunoe.domain.files import Directory
from eunoe.domain.heartbeats import MESSAGE, SEND_MESSAGE
from eunoe.domain.messages import Message, Part, Reasoning, Text, ToolCall, ToolReturn
from eunoe.domain.prompt import PromptFacts, system_text
from eunoe.domain.times import stamp

_LM_STUDIO: Final = "lmstudio_openai"
_BOOT: Final = (
    "I am awake, my memory is in place, and somebody is about to arrive. I will say hello.",
    "Hello, I am here. What is on your mind?",
)
_SHORT_BOOT: Final = ("I am awake. I will say hello.", "Hello. What can I do for you?")
"""The thought and the greeting before the first sign-in; the short ones for a small model."""


def first_messages(
    agent: Agent,
    blocks: Sequence[Block],
    opening: Sequence[OpeningMessage] | None,
    *,
    base_tools: bool,
    at: datetime,
    directories: Sequence[Directory] = (),
) -> list[Message]:
    """Return the messages a new agent starts with; the first is always the system message.

    Those of the caller replace the default ones, and none of his are none (A12).
    """
    facts = PromptFacts(conversation_id=None, recompiled_at=at, recalled=0, archived=0)
    text = system_text(agent, blocks, facts, directories=directories)
    system = system_message(agent, text, at=at)
    if opening is None:
        return [system, *default_messages(agent, base_tools=base_tools, at=at)]
    return [system, *(made for one in opening for made in _messages(agent, one, at=at))]


def default_messages(agent: Agent, *, base_tools: bool = True, at: datetime) -> list[Message]:
    """Return what an agent of the heartbeat loop has said and heard before anybody came (A11).

    An agent that edits another's memory has no user to greet.
    """
    kind = agent.agent_type
    if kind == "letta_v1_agent" or (base_tools and kind in KEEPERS):
        return []
    login = _login(agent, at=at)
    if kind == "sleeptime_agent":
        return [login]
    local = agent.model.provider_type == _LM_STUDIO
    thought, text = _SHORT_BOOT if "gpt-3.5" in agent.model.model else _BOOT
    call_id = uuid.uuid4().hex[: 9 if local else 24]
    spoken = _spoken(agent, text, thought=thought, call_id=call_id, at=at)
    return [login, *spoken] if local else [*spoken, login]


def _login(agent: Agent, *, at: datetime) -> Message:
    text = login_envelope(at=at, timezone=agent.timezone)
    return Message(
        id=ids.new("message"),
        role="user",
        agent_id=agent.id,
        content=(Text(text=text),),
        created_at=at,
    )


def _spoken(
    agent: Agent, text: str, *, thought: str | None = None, call_id: str, at: datetime
) -> list[Message]:
    """Return a call that says `text` to the user, and its return (S47)."""
    inside = thought if agent.model.put_inner_thoughts_in_kwargs else None
    beside = None if inside else thought
    call = ToolCall(
        id=call_id,
        name=SEND_MESSAGE,
        arguments=json.dumps({MESSAGE: text}, ensure_ascii=False),
        heartbeat=False,
        thinking=inside,
    )
    said = Message(
        id=ids.new("message"),
        role="assistant",
        agent_id=agent.id,
        model=agent.model.model,
        content=(Reasoning(text=beside, native=False),) if beside else (),
        calls=(call,),
        created_at=at,
    )
    time = stamp(at, timezone=agent.timezone)
    done = ToolReturn(call_id=call_id, name=SEND_MESSAGE, ok=True, output="None", time=time)
    return [
        said,
        Message(
            id=ids.new("message"), role="tool", agent_id=agent.id, returns=(done,), created_at=at
        ),
    ]


def system_message(
    agent: Agent, text: str, *, at: datetime, conversation_id: str | None = None
) -> Message:
    return Message(
        id=ids.new("message"),
        role="system",
        agent_id=agent.id,
        conversation_id=conversation_id,
        model=agent.model.model,
        content=(Text(text=text),),
        created_at=at,
    )


def _messages(agent: Agent, said: OpeningMessage, *, at: datetime) -> list[Message]:
    """Return an entry as it is kept: what comes from outside is wrapped.

    What the agent is made to have said is plain text where that is how it speaks, and else a
    call of the message tool: the other would teach it to speak in a way that nobody hears.
    """
    text, others = _divided(said.content)
    match said.role:
        case "user":
            text = user_envelope(text, at=at, timezone=agent.timezone, name=said.name)
        case "system":
            text = alert_envelope(text, at=at, timezone=agent.timezone)
        case "assistant":
            if agent.agent_type not in PLAIN_TEXT:
                return _spoken(agent, text, call_id=uuid.uuid4().hex[:24], at=at)
        case _:
            assert_never(said.role)
    return [
        Message(
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
    ]


def _divided(content: Sequence[Part]) -> tuple[str, tuple[Part, ...]]:
    """Return the text of a message and its other parts."""
    text = "\n\n".join(part.text for part in content if isinstance(part, Text))
    return text, tuple(part for part in content if not isinstance(part, Text))
