"""What pages of a browser may ask of a server that wants no key."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from eunoe.http.origins import PageGate

pytestmark = pytest.mark.anyio

_OWN = "127.0.0.1:8283"


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


async def _asked(*origins: str, **headers: str) -> httpx.Response:
    app = PageGate(Starlette(routes=[Route("/", _answer)]), origins=origins)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{_OWN}") as client:
        return await client.get("/", headers=headers)


@pytest.mark.rule("api-1.5")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{_OWN}"},
        {"host": "localhost:8283", "origin": "http://localhost:8283"},
        {"host": "[::1]:8283"},
        {"host": "eunoe:8283"},
        {"host": "host.docker.internal:8283"},
        {"origin": "https://studio.example.com"},
        {"host": "studio.example.com"},
        {"origin": "https://elsewhere.example.com", "authorization": "Bearer eunoe-at-of-a-page"},
    ],
)
async def test_programs_and_pages_of_ones_own_are_let_in(headers: dict[str, str]) -> None:
    assert (await _asked("https://studio.example.com", **headers)).status_code == 200


@pytest.mark.rule("api-1.5")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example.com"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        # A stranger's name that stands for this machine: to the browser the page is the server's own.
        {"host": "rebound.example.com:8283"},
        {"host": "rebound.example.com", "origin": "http://rebound.example.com"},
        {"host": "localhost.example.com"},
    ],
)
async def test_pages_of_strangers_are_told_what_to_set(headers: dict[str, str]) -> None:
    refused = await _asked("https://studio.example.com", **headers)
    assert refused.status_code == 403
    assert "EUNOE_CORS_ORIGINS" in refused.text
    assert (await _asked("*", **headers)).status_code == 200
