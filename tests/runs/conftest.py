"""A runner over a real database and a real model server, with tools that count their calls."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.edits import BlockEdit
from eunoe.domain.events import RunEvent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Json, Message, Text, ToolCall
from eunoe.domain.runs import RunOptions
from eunoe.domain.tools import Tool, ToolResult, ToolSchema
from eunoe.engine.ports import Nested, Toolbox, ToolTraits
from eunoe.engine.ports import Outcome as ToolOutcome
from eunoe.llm.brought import BroughtProviders
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.runs.ports import Toolboxes
from eunoe.runs.runner import Outcome, Runner
from eunoe.runs.submit import Submission, Submitted
from eunoe.store import agents, blocks, lists
from eunoe.store.db import Actor, Database
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer, ServerOptions
from eunoe.tools.peers import Peers
from tests.fixtures.apis import brought

ACTOR = Actor()
EDITS = ("core_memory_append", "core_memory_replace")


@dataclass(slots=True)
class CountingTools:
    """Counts what it is asked for; `gate` holds a call of `wait` until it is set.

    Tools in `gone` are not there any more; of `more`, `nest` makes the calls it is told to.
    """

    calls: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    gone: set[str] = field(default_factory=set[str])
    more: tuple[str, ...] = ()
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    def schemas(self) -> tuple[ToolSchema, ...]:
        names = ("count", "wait", "fail", "look", *self.more, *EDITS)
        anything: Json = {"type": "object", "properties": {}}
        return tuple(
            ToolSchema(name=n, description=n, parameters=anything)
            for n in names
            if n not in self.gone
        )

    def traits(self, name: str) -> ToolTraits:
        return ToolTraits(
            parallel=name == "look",
            effectful=name not in {"look", *EDITS},
            tool_type="letta_core" if name in EDITS else "custom",
            tool_id=f"tool-{name}",
        )

    async def call(
        self, call: ToolCall, *, arguments: Json, nested: Nested | None = None
    ) -> ToolOutcome:
        if call.name == "nest" and nested is not None:
            inner = [await nested(one["name"], one["arguments"]) for one in arguments["calls"]]
            told = [one.output if isinstance(one, ToolResult) else "an edit" for one in inner]
            return ToolResult(ok=True, output=json.dumps(told))
        if call.name in EDITS:
            return BlockEdit(tool=call.name, arguments=arguments)
        self.calls.append((call.name, arguments))
        if call.name == "wait":
            self.entered.set()
            await self.gate.wait()
        return ToolResult(ok=call.name != "fail", output=f"{call.name} {len(self.calls)}")


def toolboxes(counting: CountingTools) -> Toolboxes:
    def toolbox(
        *,
        actor: Actor,
        agent: Agent,
        tools: tuple[Tool, ...],
        peers: Peers,
        conversation_id: str | None,
    ) -> Toolbox:
        return counting

    return toolbox


@dataclass(slots=True, kw_only=True)
class World:
    db: Database
    registry: Registry
    brought: BroughtProviders
    model: ModelServer
    tools: CountingTools
    runner: Runner

    async def agent(self, **changes: Any) -> Agent:
        """Make an agent with a `human` block and a system message that is out of date."""
        now = datetime.now(UTC)
        config = replace(await self.registry.resolve("openai/scripted-1"), parallel_tool_calls=True)
        agent = Agent(
            id=ids.new("agent"),
            name="Ada",
            agent_type="letta_v1_agent",
            system="You remember.",
            model=config,
            created_at=now,
            updated_at=now,
        )
        agent = replace(agent, **changes)
        block = Block(id=ids.new("block"), label="human", value="Name: Bob", created_at=now)
        system = Message(
            id=ids.new("message"),
            role="system",
            agent_id=agent.id,
            content=(Text(text="old"),),
            created_at=now,
        )
        async with self.db.write(ACTOR) as tx:
            await agents.insert(tx, agent)
            await blocks.insert(tx, block)
            await blocks.attach(tx, agent.id, block)
            await lists.create(tx, agent.id)
            await lists.append(tx, agent.id, [system])
        return agent

    async def submit(
        self,
        agent: Agent,
        *texts: str,
        otids: tuple[str, ...] = (),
        background: bool = False,
        **options: Any,
    ) -> Submitted:
        said = tuple(
            InputMessage(role="user", content=(Text(text=text),), otid=f"otid-{place}")
            for place, text in enumerate(texts)
        )
        chosen = RunOptions(**options)
        submission = Submission(
            agent_id=agent.id, messages=said, options=chosen, otids=otids, background=background
        )
        return await self.runner.submit(ACTOR, submission)

    async def say(self, agent: Agent, *texts: str, **options: Any) -> Outcome:
        submitted = await self.submit(agent, *texts, **options)
        return await self.runner.fold(ACTOR, submitted.run.id)

    async def window(self, agent: Agent) -> list[Message]:
        async with self.db.read(ACTOR) as tx:
            return await lists.window(tx, agent.id)

    async def events(self, run_id: str, *, after: int = 0) -> list[tuple[int, RunEvent]]:
        return [one async for one in self.runner.read(ACTOR, run_id, after=after)]

    def successor(self) -> Runner:
        """Return another runner on the same database, as a process that starts later has it."""
        return Runner(self.db, models=self.brought, toolboxes=toolboxes(self.tools), grace_s=0)


@asynccontextmanager
async def running(runner: Runner) -> AsyncGenerator[Runner]:
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop()


@pytest.fixture
async def world(database: Database) -> AsyncGenerator[World]:
    model = ModelServer(ServerOptions())
    async with serving(model.answer, host="127.0.0.1", port=0) as url:
        provider = ProviderConfig(
            name="openai", provider_type="openai", base_url=f"{url}/v1", api_key="key"
        )
        registry = Registry([Endpoint(provider)])
        tools = CountingTools()
        providers = brought(registry, database)
        runner = Runner(database, models=providers, toolboxes=toolboxes(tools), grace_s=0.2)
        async with running(runner):
            yield World(
                db=database,
                registry=registry,
                brought=providers,
                model=model,
                tools=tools,
                runner=runner,
            )
        await providers.aclose()
        await registry.aclose()
