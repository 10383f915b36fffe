"""A disk that fills: requests are refused, reading goes on, and nothing that was accepted is lost."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from eunoe.app import create_app
from eunoe.http.deps import Runtime
from eunoe.settings import Settings
from eunoe.store.db import Actor
from tests.contract.conftest import MODEL

pytestmark = pytest.mark.anyio

PLENTY_PAGES = 1_000_000


@asynccontextmanager
async def serving_in_process(
    folder: Path, model_url: str
) -> AsyncGenerator[tuple[httpx.AsyncClient, Runtime]]:
    """Serve in this process: only so can a test take the database's room away."""
    settings = Settings(
        data_dir=folder,
        default_model=MODEL,
        provider_values={"OPENAI_API_KEY": "key-of-the-model", "OPENAI_BASE_URL": model_url},
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            yield client, app.state.runtime


async def leave_room(runtime: Runtime, pages: int) -> None:
    async with runtime.db.write(Actor()) as tx:
        used = await tx.fetch_value("PRAGMA page_count")
        await tx.fetch_value(f"PRAGMA max_page_count = {used + pages}")


async def said_when_free(client: httpx.AsyncClient, url: str) -> None:
    """Say something; a run that the full disk stopped goes to its end first."""
    while (answer := await client.post(url, json={"input": "SAY well"})).status_code == 409:
        await client.post(f"/v1/runs/{answer.json()['run_id']}/stream", json={})
    assert answer.status_code == 200


@pytest.mark.rule("G-3", "G-14", "api-3.2")
@pytest.mark.parametrize("room_pages", [8, 20, 33, 47, 60])
async def test_a_disk_that_fills(tmp_path: Path, model_url: str, room_pages: int) -> None:
    async with serving_in_process(tmp_path, model_url) as (client, runtime):
        agent: Any = (await client.post("/v1/agents/", json={})).json()
        url = f"/v1/agents/{agent['id']}/messages"
        await leave_room(runtime, room_pages)
        accepted: list[str] = []
        refused: httpx.Response | None = None
        while refused is None:
            text = f"Number {len(accepted)}. " + "word " * 2_000
            answer = await client.post(url, json={"input": text})
            if answer.status_code == 200:
                accepted.append(text)
            else:
                refused = answer
        assert refused.status_code == 503
        assert "disk" in refused.json()["detail"]
        assert (await client.get("/v1/health/")).status_code == 200
        assert (await client.get(f"/v1/agents/{agent['id']}")).status_code == 200

        await leave_room(runtime, PLENTY_PAGES)
        with anyio.fail_after(60):
            await said_when_free(client, url)
        listed = (await client.get(url, params={"limit": 1_000})).json()
        said = [one["content"] for one in listed if one["message_type"] == "user_message"]
        assert [text for text in accepted if text not in said] == []
