"""The short way answers as FastAPI does, whatever is sent."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.direct import direct
from eunoe.http.errors import install
from eunoe.http.paths import AgentId
from eunoe.http.replies import JsonReply
from eunoe.http.router import v1
from eunoe.wire.shape import Shape

pytestmark = pytest.mark.anyio

AGENT = "agent-3fa85f64-5717-4562-b3fc-2c963f66afa6"
OTHER = "user-3fa85f64-5717-4562-b3fc-2c963f66afa6"
JSON = "application/json"


class Said(Shape):
    words: list[str]
    count: int = 1


async def long(agent_id: AgentId, body: Said, request: Request, me: Me) -> Response:
    sent = (await request.body()).decode()
    said = body.words * body.count
    return JsonReply({"agent": agent_id, "said": said, "sent": sent, "user": me.actor.user_id})


async def short(agent_id: AgentId, body: Said, request: Request, me: Me) -> Response:
    return await long(agent_id, body, request, me)


def app() -> FastAPI:
    made = FastAPI()
    install(made)
    router = v1("/agents", tag="agents")
    router.post("/{agent_id}/long")(long)
    router.post("/{agent_id}/short")(direct(short))
    made.router.routes.extend(router.routes)
    made.state.runtime = None
    return made


@pytest.mark.rule("api-1.3", "api-2.2")
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"words": ["a"], "count": "2"}', 200),
        (b'{"words": "a"}', 422),
        (b'{"words": ["a"', 422),
        (b"[" * 20_000, 400),
        (b"\xff", 400),
        (b"", 422),
    ],
)
@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", "application/vnd.a+json", None])
async def test_both_ways_answer_alike(content: bytes, status: int, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    transport = httpx.ASGITransport(app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server/v1") as http:
        for agent_id in (AGENT, "agent-1"):
            answers = [
                await http.post(f"/agents/{agent_id}/{way}", content=content, headers=headers)
                for way in ("long", "short")
            ]
            assert answers[0].status_code == answers[1].status_code
            assert answers[0].text == answers[1].text.replace("short", "long")
            assert agent_id != AGENT or answers[1].status_code == status


@pytest.mark.rule("api-1.10")
async def test_the_short_way_knows_who_asks_and_what_may_not_be_asked() -> None:
    transport = httpx.ASGITransport(app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server/v1") as http:
        path = f"/agents/{AGENT}/short"
        refused = await http.post(path, json={"words": []}, headers={"user_id": "nobody"})
        assert (refused.status_code, (await http.get(path)).status_code) == (400, 405)
