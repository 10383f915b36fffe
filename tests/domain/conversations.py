"""Conversations to test with: agents, turns and whole histories, and strategies that draw them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from eunoe.domain.agents import Agent, AgentType
from eunoe.domain.blocks import Block
from eunoe.domain.messages import Json, Message, Part, Reasoning, Role, Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig

AT = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
TIME = "2026-03-01 09:05:00 AM UTC+0000"


def config(*, context_window: int = 30_000, provider_type: str = "openai") -> ModelConfig:
    return ModelConfig(
        handle="test/model",
        model="model",
        provider_type=provider_type,
        provider_name="test",
        context_window=context_window,
    )


def agent(
    agent_type: AgentType = "letta_v1_agent",
    *,
    system: str = "You are helpful.",
    model: ModelConfig | None = None,
    timezone: str = "UTC",
    tool_rules: tuple[Json, ...] = (),
) -> Agent:
    return Agent(
        id="agent-1",
        name="Test",
        agent_type=agent_type,
        system=system,
        model=model or config(),
        timezone=timezone,
        tool_rules=tool_rules,
        created_at=AT,
        updated_at=AT,
    )


def block(label: str, value: str = "", *, limit: int = 1_000, read_only: bool = False) -> Block:
    return Block(
        id=f"block-{label}",
        label=label,
        value=value,
        limit=limit,
        read_only=read_only,
        description=f"about {label}",
    )


def message(
    name: str,
    role: Role,
    *parts: str | Part,
    calls: Sequence[ToolCall] = (),
    returns: Sequence[ToolReturn] = (),
    step_id: str | None = None,
) -> Message:
    """Return a message of text parts with the id `message-<name>`."""
    return Message(
        id=f"message-{name}",
        role=role,
        agent_id="agent-1",
        created_at=AT,
        content=tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        calls=tuple(calls),
        returns=tuple(returns),
        step_id=step_id,
    )


def call(call_id: str, arguments: str = '{"query": "tea"}', *, name: str = "search") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def result(
    call_id: str, output: str | Json = "found", *, name: str = "search", ok: bool = True
) -> ToolReturn:
    return ToolReturn(call_id=call_id, name=name, ok=ok, output=output, time=TIME)


def later(messages: Sequence[Message]) -> list[Message]:
    """Return `messages` with ids and times of their own, in order."""
    return [
        replace(each, id=f"message-{at}", created_at=AT + timedelta(seconds=at))
        for at, each in enumerate(messages)
    ]


texts = st.text(max_size=30)
call_ids = st.sampled_from(
    ["call_0", "call_1", "toolu_01" + "a" * 22, "tool:call/é", ""]
) | st.text(max_size=40)
arguments = st.sampled_from(["{}", "", '{"a": 1}', "[1]", "nonsense", '"text"', "NaN"]) | texts


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """Draw one turn that is over: a user's word, steps with calls and answers, a last word."""
    said = [message("", "user", draw(texts))]
    for _ in range(draw(st.integers(0, 3))):
        ids = draw(st.lists(call_ids, min_size=1, max_size=3))
        step = [
            message(
                "", "assistant", *draw(_contents()), calls=[call(i, draw(arguments)) for i in ids]
            )
        ]
        answers = [result(i, draw(texts)) for i in draw(st.permutations(ids))]
        step.append(message("", "tool", returns=answers))
        said += step
    if draw(st.booleans()):
        said.append(message("", "assistant", draw(texts)))
    return said


@st.composite
def _contents(draw: st.DrawFn) -> list[Part]:
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Reasoning(text=draw(texts)))
    if draw(st.booleans()):
        parts.append(Text(text=draw(texts)))
    return parts


@st.composite
def histories(draw: st.DrawFn, *, min_turns: int = 0, max_turns: int = 5) -> list[Message]:
    """Draw several turns, with a summary or an interruption among them."""
    said: list[Message] = []
    if draw(st.booleans()):
        said.append(message("", "summary", '{"type": "system_alert", "message": "before"}'))
    for turn in draw(st.lists(turns(), min_size=min_turns, max_size=max_turns)):
        said += turn
    return later(said)
