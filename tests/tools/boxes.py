"""A toolbox for tests, over a memory that finds what it is given."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.messages import ToolCall
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.passages import MessageHit, Passage, PassageHit
from eunoe.domain.recall import MessageQuery, PassageQuery, QueryVector
from eunoe.domain.tools import Tool, ToolResult, ToolType
from eunoe.engine.ports import Outcome
from eunoe.tools.catalog import AgentToolbox, Run, ToolFunction, builtin_tools
from eunoe.tools.custom import CustomTools
from eunoe.tools.web import Web

AT = datetime(2024, 7, 1, 10, tzinfo=UTC)
AGENT = Agent(
    id=ids.new("agent"),
    name="Ada",
    agent_type="letta_v1_agent",
    system="",
    model=ModelConfig(handle="mock/m", model="m", provider_type="openai", provider_name="mock"),
    embedding=EmbeddingConfig(handle="local/e", model="e", provider_type="local", dimensions=2),
    timezone="Europe/Rome",
    created_at=AT,
    updated_at=AT,
)


@dataclass
class Memory:
    """Remembers what it was asked, and finds what it was given."""

    said: list[MessageHit] = field(default_factory=list[MessageHit])
    kept: list[PassageHit] = field(default_factory=list[PassageHit])
    asked: list[MessageQuery | PassageQuery] = field(
        default_factory=list[MessageQuery | PassageQuery]
    )
    vector: QueryVector | None = None

    async def conversations(self, query: MessageQuery) -> list[MessageHit]:
        self.asked.append(query)
        return self.said[: query.limit]

    async def archive(self, query: PassageQuery) -> list[PassageHit]:
        self.asked.append(query)
        return self.kept[: query.limit]

    async def vector_to_keep(self, text: str) -> QueryVector | None:
        return self.vector


@dataclass
class Around:
    """What an agent has in its secrets."""

    has: Mapping[str, str] = field(default_factory=dict[str, str])

    async def secrets(self) -> Mapping[str, str]:
        return self.has

    async def blocks(self) -> tuple[Block, ...]:
        return ()


class Silent:
    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[tuple[float, ...]]:
        await asyncio.Event().wait()
        return []


def hit(text: str) -> MessageHit:
    return MessageHit(
        message_id=ids.new("message"),
        agent_id=AGENT.id,
        conversation_id=None,
        role="user",
        text=text,
        created_at=AT,
        score=0.51234567,
        text_rank=1,
        vector_rank=2,
    )


def kept(text: str) -> PassageHit:
    passage = Passage(id="passage-1", archive_id="archive-1", text=text, tags=("a",), created_at=AT)
    return PassageHit(passage=passage, score=0.5, text_rank=3)


def custom(run: Run, *, name: str = "act", tool_type: ToolType = "custom") -> ToolFunction:
    tool = Tool(
        id=ids.new("tool"),
        name=name,
        tool_type=tool_type,
        description="",
        parameters={"type": "object", "properties": {}},
    )
    return ToolFunction(tool=tool, run=run)


async def give(arguments: dict[str, object]) -> object:
    return arguments.get("value")


def box(
    *functions: ToolFunction,
    memory: Memory | None = None,
    custom: CustomTools | None = None,
    web: Web | None = None,
) -> AgentToolbox:
    held = (*builtin_tools(), *(one.tool for one in functions))
    return AgentToolbox(
        agent=AGENT,
        tools={tool.name: tool for tool in held},
        recall=memory or Memory(),
        functions={one.tool.name: one for one in functions},
        custom=custom,
        web=web,
    )


async def call(toolbox: AgentToolbox, name: str, **arguments: object) -> Outcome:
    return await toolbox.call(ToolCall(id="c", name=name, arguments="{}"), arguments=arguments)


async def result(toolbox: AgentToolbox, name: str, **arguments: object) -> ToolResult:
    outcome = await call(toolbox, name, **arguments)
    assert isinstance(outcome, ToolResult)
    return outcome
