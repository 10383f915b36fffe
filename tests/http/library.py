"""A server that reads what is uploaded, its client, and the smallest files of some kinds."""

import io
import json
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from letta_client import AsyncLetta

from eunoe.app import toolboxes
from eunoe.http.api import build_api
from eunoe.http.deps import Runtime
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.runs.mcp_calls import McpCalls
from eunoe.runs.runner import Runner
from eunoe.service.images import ImageFetcher
from eunoe.service.ingest import Ingest
from eunoe.store import tools
from eunoe.store.db import Actor, Database
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer
from eunoe.tools.catalog import builtin_tools
from eunoe.tools.mcp_sessions import McpSessions
from tests.fixtures.apis import brought

PATIENCE_S = 60
EMBEDDING = "openai/text-embedding-3-small"


@dataclass(slots=True, kw_only=True)
class Library:
    """A server that reads what is uploaded, and a client strict about all it is told."""

    letta: AsyncLetta
    http: httpx.AsyncClient
    model: ModelServer
    db: Database

    async def folder(self, name: str, **fields: Any) -> Any:
        return await self.letta.folders.create(name=name, **fields)

    async def upload(self, folder_id: str, sent_as: str, data: bytes, **options: Any) -> Any:
        kind = options.pop("kind", "application/octet-stream")
        return await self.letta.folders.files.upload(
            folder_id, file=(sent_as, data, kind), **options
        )

    async def read(self, folder_id: str, name: str, data: bytes, **options: Any) -> Any:
        """Upload a file and wait until the work on it is over; return it with its text."""
        sent = await self.upload(folder_id, name, data, **options)
        return await self.settled(folder_id, sent.id)

    async def settled(self, folder_id: str, file_id: str) -> Any:
        with anyio.fail_after(PATIENCE_S):
            while True:
                # What is asked in this process would else never give the work its turn.
                await anyio.lowlevel.checkpoint()
                file: Any = await self.letta.folders.files.retrieve(
                    file_id, folder_id=folder_id, include_content=True
                )
                if file.processing_status in {"completed", "error"}:
                    return file

    async def agent(self, **fields: Any) -> Any:
        create: Any = self.letta.agents.create
        return await create(model="openai/scripted-1", **fields)

    async def files(self, agent_id: str, **asked: Any) -> list[Any]:
        return [one async for one in self.letta.agents.files.list(agent_id, **asked)]

    async def say(self, agent_id: str, text: str) -> list[Any]:
        reply = await self.letta.agents.messages.create(agent_id, input=text)
        return list(reply.messages)

    async def call(self, agent_id: str, tool: str, **arguments: object) -> tuple[str, str]:
        """Have the agent call a tool; return what came of it, and whether it went well."""
        said = await self.say(agent_id, f"CALL {tool} {json.dumps(arguments)}")
        (done,) = [one for one in said if one.message_type == "tool_return_message"]
        return str(done.tool_return), str(done.status)

    async def prompt(self, agent_id: str) -> str:
        reply = await self.http.post(f"/v1/agents/{agent_id}/recompile")
        text: str = reply.json()
        return text


@pytest.fixture
async def library(database: Database) -> AsyncGenerator[Library]:
    async with database.write(Actor()) as tx:
        await tools.seed(tx, builtin_tools())
    model = ModelServer()
    async with serving(model.answer) as url, _running(database, url) as runtime:

        @asynccontextmanager
        async def opened() -> AsyncGenerator[Runtime]:
            yield runtime

        app = build_api(opened, version="0")
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://server",
                timeout=60,
                follow_redirects=True,
            ) as http,
        ):
            letta = AsyncLetta(
                base_url="http://server",
                http_client=http,
                max_retries=0,
                api_key="any",
                _strict_response_validation=True,
            )
            yield Library(letta=letta, http=http, model=model, db=database)


@asynccontextmanager
async def _running(database: Database, url: str) -> AsyncGenerator[Runtime]:
    provider = ProviderConfig(
        name="openai", provider_type="openai", base_url=f"{url}/v1", api_key="k"
    )
    registry = Registry([Endpoint(provider)])
    runner = Runner(
        database, models=registry, toolboxes=toolboxes(database, {}, models=registry), grace_s=0.2
    )
    runner.undertake(Ingest(db=database, models=registry).duty())
    images = ImageFetcher()
    await runner.start()
    yield Runtime(
        db=database,
        registry=registry,
        brought=brought(registry, database),
        runner=runner,
        images=images,
        mcp=McpCalls(db=database, sessions=McpSessions()),
        version="0",
        default_embedding=EMBEDDING,
    )
    await runner.stop()
    await images.close()
    await registry.aclose()


def docx(*paragraphs: str, head: str = "") -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{one}</w:t></w:r></w:p>" for one in paragraphs)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        text = f'{head}<w:document xmlns:w="{space}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", text)
    return packed.getvalue()


def bomb() -> bytes:
    """Return a document of a few hundred bytes that claims to hold a thousand million letters."""
    layers = "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(9))
    return docx("&j;", head=f'<!DOCTYPE w [<!ENTITY a "lol">{layers}]>')


def pdf(text: str) -> bytes:
    """Return the smallest PDF that shows a line of text."""
    drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>"
        ),
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    places: list[int] = []
    out = b"%PDF-1.4\n"
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (table, len(out))
    )
