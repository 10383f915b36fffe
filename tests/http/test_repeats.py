"""`Idempotency-Key`: what is sent again is answered again, and done once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eunoe.errors import DatabaseUnreachable
from eunoe.http.repeats import MOST_KEPT, Repeats
from eunoe.store.db import Actor, Database, to_micros
from tests.http.reading import frames
from tests.runs.conftest import World
from tests.runs.faulty import Fault, FaultyDatabase, When

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
    assert "broke off midway" in lost.json()["detail"]


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


@pytest.mark.rule("streaming-1.11", "G-6")
@pytest.mark.parametrize("when", ["before", "instead", "after"])
async def test_what_failed_is_done_again_only_where_nothing_was_done(
    app: FastAPI, world: World, http: httpx.AsyncClient, when: When
) -> None:
    """The first transaction notes the key, the second makes the block and cannot tell of it."""
    faulty = FaultyDatabase(world.db)
    app.state.runtime = replace(app.state.runtime, db=faulty)
    faulty.fault = Fault(nth=2, when=when, error=DatabaseUnreachable)
    body = {"label": "human", "value": "Bob"}
    first = await http.post("/v1/blocks/", json=body, headers=KEY)
    again = await http.post("/v1/blocks/", json=body, headers=KEY)
    made = len((await http.get("/v1/blocks/", params={"value_search": "Bob"})).json())
    assert (faulty.fault.met, first.status_code, made) == (True, 503, 1)
    if when != "after":
        assert again.status_code == 200
        return
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    assert "broke off midway" in again.json()["detail"]
    assert first.headers["x-should-retry"] == "false"
    assert (await http.post("/v1/blocks/", json=body, headers=KEY)).content == again.content


@pytest.mark.rule("streaming-1.11", "G-6")
async def test_a_failed_message_finds_the_run_that_it_made(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    url, body = f"/v1/agents/{agent.id}/messages", {"input": "FAIL 500"}
    answers = [await http.post(url, json=body, headers=KEY) for _ in range(2)]
    assert answers[0].status_code >= 500
    assert {answer.headers["x-letta-run-id"] for answer in answers} == {
        answers[0].headers["x-letta-run-id"]
    }
    assert await runs_of(http, agent.id) == 1


@pytest.mark.rule("streaming-1.11")
@pytest.mark.parametrize(("path", "times"), [("/v1/tools/run", 1), ("/v1/tools/search", 2)])
async def test_a_tool_that_was_called_is_not_called_again(
    database: Database, path: str, times: int
) -> None:
    """What a tool does is stored nowhere, so that only the address tells of it."""
    calls: list[str] = []

    async def too_slow(request: Request) -> Response:
        calls.append(request.url.path)
        return Response(status_code=408, headers={"x-should-retry": "true"})

    api = Starlette(
        routes=[Route(path, too_slow, methods=["POST"])], middleware=[Middleware(Repeats)]
    )
    api.state.runtime = SimpleNamespace(db=database)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api), base_url="http://server"
    ) as http:
        answers = [await http.post(path, headers=KEY) for _ in range(2)]
    assert (len(calls), answers[0].status_code) == (times, 408)
    assert answers[0].headers["x-should-retry"] == ("false" if times == 1 else "true")
    assert answers[1].status_code == (409 if times == 1 else 408)
