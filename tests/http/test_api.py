"""The application as a whole: who acts, what is served where, and the small resources."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta

from eunoe.http.api import Policy, build_api
from eunoe.store.db import Actor
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio
OTHER_USER = "user-00000000-0000-4000-8000-00000000000a"
OTHER_ORGANIZATION = "org-00000000-0000-4000-8000-00000000000a"


@pytest.mark.rule("api-20", "streaming-8.5", "api-1.2", "api-1.1")
@pytest.mark.parametrize(
    "path", ["/v1/health/", "/v1/health", "/latest/health/", "/v1/ready/", "/latest/ready"]
)
async def test_health(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.json() == {"version": "9.9", "status": "ok"}


@pytest.mark.rule("api-1.10", "api-1.11")
async def test_who_acts(world: World, http: httpx.AsyncClient) -> None:
    async with world.db.write(Actor()) as tx:
        await tx.execute(
            "INSERT INTO organizations (id, name, created_at) VALUES ($1, 'other', 0)",
            OTHER_ORGANIZATION,
        )
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at) VALUES ($1, $2, 'x', 0)",
            OTHER_USER,
            OTHER_ORGANIZATION,
        )
    agent = await world.agent()
    path = f"/v1/agents/{agent.id}/messages"
    assert (await http.get(path)).status_code == 200
    unknown = {"user_id": "user-00000000-0000-4000-8000-0000000000ff"}
    assert (await http.get(path, headers=unknown)).status_code == 200
    assert (await http.get(path, headers={"user_id": OTHER_USER})).status_code == 404
    foreign = await http.post(path, json={"input": "x"}, headers={"user_id": OTHER_USER})
    assert foreign.status_code == 404
    assert (await http.get(path, headers={"user_id": "me"})).status_code == 400


@pytest.mark.rule("api-17")
async def test_models(letta: AsyncLetta, http: httpx.AsyncClient) -> None:
    models: list[Any] = await letta.models.list()
    assert "openai/scripted-1" in {model.handle for model in models}
    assert all(model.model_type == "llm" for model in models)
    embeddings = await letta.models.embeddings.list()
    assert "openai/text-embedding-3-small" in {model.handle for model in embeddings}
    for query, found in (
        ("provider_name=openai", True),
        ("provider_name=other", False),
        ("provider_type=anthropic", False),
        ("provider_category=base&provider_category=byok", True),
        ("provider_category=byok", False),
    ):
        assert bool((await http.get(f"/v1/models/?{query}")).json()) is found, query
    assert (await http.get("/v1/models/?provider_category=odd")).status_code == 422


@pytest.mark.rule("api-20", "api-5.11")
async def test_tags(world: World, http: httpx.AsyncClient) -> None:
    await world.agent(tags=("blue", "Apple", "été"))
    await world.agent(tags=("blue", "b%"))

    async def listed(query: str = "") -> list[str]:
        tags: list[str] = (await http.get(f"/v1/tags/?{query}")).json()
        return tags

    assert await listed() == ["Apple", "b%", "blue", "été"]
    assert await listed("order=desc&limit=2") == ["été", "blue"]
    assert await listed("after=b%25&limit=1") == ["blue"]
    assert await listed("before=blue") == ["Apple", "b%"]
    assert await listed("before=blue&limit=1") == ["b%"]
    assert await listed("name=%25") == ["b%"]
    assert await listed("query_text=lu") == ["blue"]


def test_guards_stand_in_the_right_order() -> None:
    """A browser's preflight brings no password, so it must be answered before the gate."""

    def never() -> Any:
        raise AssertionError

    policy = Policy(password="x", cors_origins=("http://a",))  # noqa: S106 - for this test
    app: FastAPI = build_api(never, version="1", policy=policy)
    names = [getattr(one.cls, "__name__", "") for one in app.user_middleware]
    assert names == ["Observed", "CORSMiddleware", "PasswordGate", "Intake", "TokenGate", "Repeats"]
    plain = build_api(never, version="1")
    assert [getattr(one.cls, "__name__", "") for one in plain.user_middleware] == [
        "Observed",
        "PageGate",
        "Intake",
        "TokenGate",
        "Repeats",
    ]
