"""A server in process that carries runs out with a scripted model and the real tools."""

import re
import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import httpx
import orjson
from fastapi import FastAPI
from letta_client import AsyncLetta

from eunoe.app import toolboxes
from eunoe.domain.events import CallDelta, Finished, ModelEvent, UsageReported
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.engine.ports import Embedder, Model
from eunoe.http.api import build_api
from eunoe.http.deps import Runtime
from eunoe.llm.registry import Registry
from eunoe.runs.mcp_calls import McpCalls
from eunoe.runs.runner import Runner
from eunoe.runs.surroundings import Executors, no_executor
from eunoe.service import mcp_servers
from eunoe.service.images import ImageFetcher
from eunoe.service.mcp_deeds import deeds
from eunoe.store import tools
from eunoe.store.db import Actor, Database
from eunoe.testing.scripted import USAGE, Events, ScriptedModel
from eunoe.tools.catalog import builtin_tools
from eunoe.tools.mcp_addresses import Hosts
from eunoe.tools.mcp_offer import McpOffer
from eunoe.tools.mcp_sessions import McpSessions
from eunoe.tools.web import Web
from tests.fixtures.apis import brought

Mode = Literal["blocking", "steps", "tokens", "background", "conversation"]
MODES: tuple[Mode, ...] = ("blocking", "steps", "tokens", "background")
ENTRANCES: tuple[Mode, ...] = (*MODES, "conversation")
ADDRESS = "http://server"


class Scripted(Registry):
    """A registry of one model, which is what every handle means; `model` is the test's."""

    def __init__(self) -> None:
        super().__init__([])
        self.model = ScriptedModel()

    def serves(self, name: str) -> bool:
        return True

    async def resolve(self, handle: str) -> ModelConfig:
        provider, _, name = handle.partition("/")
        return ModelConfig(
            handle=handle, model=name, provider_type=provider, provider_name=provider
        )

    async def resolve_embedding(self, handle: str) -> EmbeddingConfig:
        raise AssertionError(handle)

    def model_for(self, config: ModelConfig) -> Model:
        return self.model

    def embedder_for(self, config: EmbeddingConfig) -> Embedder:
        raise AssertionError(config)


@dataclass(slots=True, kw_only=True)
class Talk:
    """One server, and the official client of it."""

    letta: AsyncLetta
    http: httpx.AsyncClient
    registry: Scripted
    mcp: McpCalls
    app: FastAPI

    async def agent(self, agent_type: str, **fields: Any) -> Any:
        fields = {"model": "openai/gpt-4o-mini", **fields}
        create: Any = self.letta.agents.create
        return await create(agent_type=agent_type, **fields)

    def script(self, *replies: Events) -> ScriptedModel:
        self.registry.model = ScriptedModel(*replies)
        return self.registry.model

    async def send(self, agent_id: str, mode: Mode, text: str = "Hi", **options: Any) -> "Heard":
        """Send a message the way that `mode` says; return all that the client is told."""
        send: Any = self.letta.agents.messages.create
        if mode == "blocking":
            whole = await send(agent_id, input=text, **options)
            rows = [*whole.messages, whole.stop_reason, whole.usage]
        elif mode == "conversation":
            conversation: Any = await self.letta.conversations.create(agent_id=agent_id)
            talk: Any = self.letta.conversations.messages.create
            stream = await talk(conversation.id, input=text, stream_tokens=True, **options)
            rows = [row async for row in stream]
        else:
            stream = await send(
                agent_id,
                input=text,
                streaming=True,
                stream_tokens=mode != "steps",
                background=mode == "background",
                **options,
            )
            rows = [row async for row in stream]
        return Heard(rows=[row.to_dict(mode="json") for row in rows])

    async def replayed(self, run_id: str) -> "Heard":
        """Return what a client is told that comes back to a run that is over."""
        stream: Any = await self.letta.runs.messages.stream(run_id)
        return Heard(rows=[row.to_dict(mode="json") async for row in stream])

    async def rows(self, path: str, **asked: Any) -> list[Json]:
        """Return a list that the client has no steady method for."""
        reply = await self.http.get(path, params=asked)
        assert reply.status_code == 200, reply.text
        rows: list[Json] = reply.json()
        return rows

    async def listed(self, agent_id: str, **asked: Any) -> list[Json]:
        page = await self.letta.agents.messages.list(agent_id, **asked)
        rows: list[Any] = page.items
        return [row.to_dict(mode="json") for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a client was told, as it came."""

    rows: list[Json] = field(default_factory=list[Json])

    @property
    def parts(self) -> list[Json]:
        return [row for row in self.rows if "otid" in row and row["message_type"] != "ping"]

    @property
    def reason(self) -> str:
        (reason,) = [row for row in self.rows if row["message_type"] == "stop_reason"]
        return str(reason["stop_reason"])

    @property
    def run_id(self) -> str:
        return str(next(row["run_id"] for row in self.rows if row.get("run_id")))

    @property
    def kinds(self) -> list[str]:
        return [row["message_type"] for row in self.rows]


def call(name: str, arguments: Json | str, *, cut: int = 3) -> Events:
    """Return a reply of one call, its arguments in fragments of `cut` characters."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    deltas: list[ModelEvent] = [CallDelta(index=0, id=f"call-{uuid.uuid4().hex[:8]}", name=name)]
    deltas += [
        CallDelta(index=0, arguments=text[place : place + cut])
        for place in range(0, len(text), cut)
    ]
    return [*deltas, UsageReported(usage=USAGE), Finished(reason="tool_calls")]


def merged(parts: Iterable[Json]) -> list[Json]:
    """Return parts with the fragments of each put together, by otid as a client does it."""
    whole: dict[str, Json] = {}
    for part in parts:
        known = whole.get(part["otid"])
        if known is None:
            whole[part["otid"]] = orjson.loads(orjson.dumps(part))
            continue
        assert (known["message_type"], known["id"]) == (part["message_type"], part["id"])
        for name in ("content", "reasoning"):
            if name in part:
                known[name] += part[name]
        if "tool_call" in part:
            known["tool_call"]["arguments"] = known["tool_call"].get("arguments", "") + part[
                "tool_call"
            ].get("arguments", "")
    return list(whole.values())


def told(parts: Sequence[Json]) -> list[Json]:
    """Return what parts say, without what differs from run to run: ids become their places."""
    names: dict[str, str] = {}
    return [_told(part, names) for part in parts]


_SKIPPED = {
    "date",
    "name",
    "sender_id",
    "seq_id",
    "run_id",
    "tool_calls",
    "tool_returns",
    "signature",
}


def _told(part: Json, names: dict[str, str]) -> Json:
    seen = {key: value for key, value in part.items() if key not in _SKIPPED and value is not None}
    number = uuid.UUID(part["id"][-36:]).int
    if part["otid"] is not None and uuid.UUID(part["otid"]).int >> 7 == number >> 7:
        seen["otid"] = uuid.UUID(part["otid"]).int & 127
    for key in ("id", "step_id", "tool_call_id"):
        if key in seen:
            seen[key] = names.setdefault(seen[key], f"{key} {len(names)}")
    if "tool_call" in seen:
        call_id = seen["tool_call"]["tool_call_id"]
        seen["tool_call"] = {
            **seen["tool_call"],
            "tool_call_id": names.setdefault(call_id, f"tool_call_id {len(names)}"),
        }
    return _undated(seen)


def _undated(part: Json) -> Json:
    text = orjson.dumps(part).decode()
    return orjson.loads(re.sub(r"\d{4}-\d\d-\d\d [\d:]+ [AP]M UTC\+0000", "TIME", text))


@asynccontextmanager
async def talking(
    database: Database, executors: Executors = no_executor, *, web: Web | None = None
) -> AsyncGenerator[Talk]:
    async with database.write(Actor()) as tx:
        await tools.seed(tx, builtin_tools())
    registry = Scripted()
    sessions = McpSessions(hosts=Hosts(private=True, stdio=True))
    mcp = McpCalls(db=database, sessions=sessions)
    sessions.on_change(partial(mcp_servers.heard_of_change, database, mcp))
    boxes = toolboxes(database, {}, models=registry, executors=executors, mcp=mcp, web=web)
    runner = Runner(database, models=registry, toolboxes=boxes, grace_s=0.2)
    offer = McpOffer(deeds(database, runner, lambda _: registry), version="0")
    images = ImageFetcher()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Runtime]:
        yield Runtime(
            db=database,
            registry=registry,
            brought=brought(registry, database),
            runner=runner,
            images=images,
            version="0",
            executors=executors,
            mcp=mcp,
            offer=offer,
        )

    app = build_api(opened, version="0")
    await runner.start()
    transport = httpx.ASGITransport(app)
    # A test that fails in the middle must not leave its workers to the tests after it.
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url=ADDRESS, timeout=60, follow_redirects=True
            ) as http,
        ):
            letta = AsyncLetta(base_url=ADDRESS, http_client=http, max_retries=0, api_key="any")
            yield Talk(letta=letta, http=http, registry=registry, mcp=mcp, app=app)
    finally:
        await runner.stop()
        await sessions.close()
        await offer.close()
        await images.close()
        await registry.aclose()
