"""`Idempotency-Key`: what is sent again is answered again, and done once."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from eunoe.http.repeats import MOST_KEPT
from eunoe.store.db import Actor, Database, to_micros
from tests.http.reading import frames
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "one"}


async def forgotten(db: Database) -> None:
    """Make it look as if whoever answered had died over it, half a minute ago."""
    async with db.write(Actor()) as tx:
        await tx.execute(
            "UPDATE kept_answers SET status = NULL, body_sealed = NULL, run_id = NULL, held_until = $1",
            to_micros(datetime.now(UTC) - timedelta(seconds=1)),
        )


async def runs_of(http: httpx.AsyncClient, agent_id: str) -> int:
    return len((await http.get("/v1/runs/", params={"agent_id": agent_id})).json())


@pytest.mark.rule("streaming-1.11", "G-6")
async def test_what_was_made_is_made_once(world: World, http: httpx.AsyncClient) -> None:
    body = {"label": "human", "value": "Bob"}
    first = await http.post("/v1/blocks/", json=body, headers=KEY)
    again = await http.post("/v1/blocks/", json=body, headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    another = await http.post("/v1/blocks/", json=body, headers={"Idempotency-Key": "two"})
    assert another.json()["id"] != first.json()["id"]
    reused = await http.post("/v1/blocks/", json={**body, "value": "Eve"}, headers=KEY)
    assert reused.status_code == 422
    assert len((await http.get("/v1/blocks/", params={"value_search": "Bob"})).json()) == 2
    await forgotten(world.db)
    lost = await http.post("/v1/blocks/", json=body, headers=KEY)
    assert (lost.status_code, lost.headers["x-should-retry"]) == (409, "false")


@pytest.mark.rule("streaming-1.11", "G-6")
@pytest.mark.parametrize("path", ["", "/stream", "/async"])
async def test_a_message_is_said_once(world: World, http: httpx.AsyncClient, path: str) -> None:
    agent = await world.agent()
    url, body = f"/v1/agents/{agent.id}/messages{path}", {"input": "SAY Well."}
    first = await http.post(url, json=body, headers=KEY)
    again = await http.post(url, json=body, headers=KEY)
    await forgotten(world.db)
    after_a_crash = await http.post(url, json=body, headers=KEY)
    if path == "/async":
        assert first.json()["id"] == again.json()["id"] == after_a_crash.json()["id"]
    else:
        assert first.content == again.content == after_a_crash.content
    assert await runs_of(http, agent.id) == 1
    assert (await http.post(url, json=body)).status_code in {200, 409}


@pytest.mark.rule("streaming-1.11", "G-6")
async def test_while_the_first_goes_on(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    url, body = f"/v1/agents/{agent.id}/messages", {"input": "CALL wait {}"}
    first = asyncio.create_task(http.post(url, json=body, headers=KEY))
    await world.tools.entered.wait()
    early = await http.post(url, json=body, headers=KEY)
    assert early.status_code == 409
    assert (early.headers["retry-after"], early.headers["x-should-retry"]) == ("1", "true")
    world.tools.gate.set()
    assert (await http.post(url, json=body, headers=KEY)).status_code in {200, 409}
    done = await first
    assert (await http.post(url, json=body, headers=KEY)).content == done.content
    assert await runs_of(http, agent.id) == 1


@pytest.mark.rule("streaming-1.11", "G-4")
async def test_a_stream_that_goes_on_is_joined(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    url, body = f"/v1/agents/{agent.id}/messages/stream", {"input": "CALL wait {}"}
    first = asyncio.create_task(http.post(url, json=body, headers=KEY))
    await world.tools.entered.wait()
    joined = asyncio.create_task(http.post(url, json=body, headers=KEY))
    world.tools.gate.set()
    assert (await joined).content == (await first).content
    assert frames((await first).content)[-1] == "[DONE]"


@pytest.mark.rule("streaming-1.11")
async def test_what_came_to_nothing_can_be_sent_again(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    url, body = f"/v1/agents/{agent.id}/messages", {"input": "SAY Well."}
    held = asyncio.create_task(http.post(url, json={"input": "CALL wait {}"}))
    await world.tools.entered.wait()
    assert (await http.post(url, json=body, headers=KEY)).status_code == 409
    world.tools.gate.set()
    await held
    assert (await http.post(url, json=body, headers=KEY)).status_code == 200


@pytest.mark.rule("streaming-1.11")
async def test_a_very_long_answer_is_not_kept(world: World, http: httpx.AsyncClient) -> None:
    body = {"label": "long", "value": "x" * MOST_KEPT, "limit": 2 * MOST_KEPT}
    assert (await http.post("/v1/blocks/", json=body, headers=KEY)).status_code == 200
    again = await http.post("/v1/blocks/", json=body, headers=KEY)
    assert again.status_code == 409
    assert "not kept" in again.json()["detail"]
    assert len((await http.get("/v1/blocks/", params={"label": "long"})).json()) == 1


@pytest.mark.rule("streaming-1.11", "G-22")
async def test_answers_are_swept(world: World, http: httpx.AsyncClient) -> None:
    first = await http.post("/v1/blocks/", json={"label": "a", "value": "b"}, headers=KEY)
    await world.runner.sweep()
    again = await http.post("/v1/blocks/", json={"label": "a", "value": "b"}, headers=KEY)
    assert again.content == first.content
    async with world.db.write(Actor()) as tx:
        await tx.execute("UPDATE kept_answers SET created_at = 1")
    await world.runner.sweep()
    anew = await http.post("/v1/blocks/", json={"label": "a", "value": "b"}, headers=KEY)
    assert anew.json()["id"] != first.json()["id"]
