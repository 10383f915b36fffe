"""A whole server in this process, with the official client and a model that does as it is told.

Told by whom makes no difference to the model: what another agent says is obeyed like what a
user says. `LATER <tool> <json>` is a call for whoever reads it in somebody else's conversation.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio.lowlevel
import httpx
import orjson
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta
from letta_client.types import AgentState

from eunoe.app import create_app
from eunoe.domain.messages import Json
from eunoe.http.deps import Runtime
from eunoe.settings import Settings
from eunoe.store.db import Database
from eunoe.testing.http_server import Answer, Request, serving
from eunoe.testing.model_server import ModelServer

PATIENCE_S = 60


def call(tool: str, **arguments: object) -> str:
    """Return the script that has an agent call `tool`."""
    return f"CALL {tool} {json.dumps(arguments)}"


def asked(model: ModelServer, *, with_tool: str) -> list[Json]:
    """Return the requests that offered the tool, the oldest first."""
    bodies: list[Json] = [orjson.loads(body) for body in model.requests]
    return [
        body
        for body in bodies
        if with_tool in [one["function"]["name"] for one in body.get("tools") or ()]
    ]


def _heard(body: bytes) -> bytes:
    """Return a request in which what agents say is what a user says, and LATER is now."""
    request: Json = orjson.loads(body)
    for message in request["messages"][1:]:
        if message["role"] == "system":
            message["role"] = "user"
    tools = [one["function"]["name"] for one in request.get("tools") or ()]
    if {"memory_finish_edits", "store_memories"} & set(tools):
        for message in request["messages"][1:]:
            if message["role"] == "user":
                text = orjson.dumps(message["content"]).replace(b"LATER", b"CALL")
                message["content"] = orjson.loads(text)
    if tools == ["store_memories", "rethink_user_memory", "finish_rethinking_memory"]:
        request["tool_choice"] = {"type": "function", "function": {"name": tools[-1]}}
    return orjson.dumps(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    letta: AsyncLetta
    http: httpx.AsyncClient
    model: ModelServer
    runtime: Runtime
    app: FastAPI

    @property
    def db(self) -> Database:
        return self.runtime.db

    async def agent(self, **fields: Any) -> AgentState:
        return await self.letta.agents.create(**fields)

    async def say(self, agent_id: str, text: str) -> Any:
        return await self.letta.agents.messages.create(agent_id, input=text)

    async def told(self, agent_id: str, text: str) -> str:
        """Send `text` and return what the one tool that was called for it gave."""
        reply = await self.say(agent_id, text)
        (returned,) = [one for one in reply.messages if one.message_type == "tool_return_message"]
        return str(returned.tool_return)

    async def posted(self, path: str, **body: object) -> Json:
        reply = await self.http.post(path, json=body)
        assert reply.status_code == 200, reply.text
        made: Json = reply.json()
        return made

    async def posted_to_model(self, **control: object) -> None:
        """Set how the model answers from now on."""
        self.model.answer(
            Request(
                connection=1, method="POST", path="/control", headers={}, body=orjson.dumps(control)
            )
        )

    async def got(self, path: str, **params: Any) -> Any:
        reply = await self.http.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def ended(self, run_id: str) -> Any:
        """Follow a run to its end, and return it."""
        reply = await self.http.post(f"/v1/runs/{run_id}/stream", json={})
        assert reply.status_code == 200, reply.text
        return await self.letta.runs.retrieve(run_id)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until `true` says so: what goes on elsewhere announces nothing to a test."""
    async with asyncio.timeout(PATIENCE_S):
        while not await true():
            # A request that reads SQLite in this process waits for nothing: let others have a turn.
            await anyio.lowlevel.checkpoint()


@pytest.fixture
async def served(database_url: str, tmp_path: Path) -> AsyncGenerator[Served]:
    model = ModelServer()

    def answer(request: Request) -> Answer:
        if request.path.endswith("/chat/completions"):
            request = replace(request, body=_heard(request.body))
        return model.answer(request)

    async with serving(answer) as url:
        settings = Settings(
            data_dir=tmp_path,
            database_url=database_url,
            default_model="openai/scripted-1",
            shutdown_grace_s=0.2,
            provider_values={"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": f"{url}/v1"},
        )
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url="http://eunoe", timeout=PATIENCE_S
            ) as http,
        ):
            letta = AsyncLetta(
                base_url="http://eunoe",
                api_key="any",
                http_client=http,
                max_retries=0,
                _strict_response_validation=True,
            )
            runtime: Runtime = app.state.runtime
            yield Served(letta=letta, http=http, model=model, runtime=runtime, app=app)
