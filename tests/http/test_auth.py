"""The password gate, asked over ASGI by a real HTTP client."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from eunoe.http.auth import PasswordGate
from eunoe.http.scopes import EXEMPT

pytestmark = pytest.mark.anyio
PASSWORD = "correct hörse"  # noqa: S105 - a password for the test alone


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


async def _greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def _guarded(password: str = PASSWORD) -> PasswordGate:
    routes = [WebSocketRoute("/socket", _greet), Route("/{rest:path}", _answer)]
    return PasswordGate(Starlette(routes=routes), password=password)


async def _get(path: str, **headers: str | bytes) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = {
        name: value.encode() if isinstance(value, str) else value for name, value in named.items()
    }
    transport = httpx.ASGITransport(_guarded())
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.get(path, headers=[(name.encode(), raw[name]) for name in raw])


@pytest.mark.rule("api-1.10", "api-1.11")
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {PASSWORD}"},
        {"authorization": f"bearer  {PASSWORD}"},
        {"x_bare_password": f"password {PASSWORD}"},
        {"authorization": "Bearer other", "x_bare_password": f"password {PASSWORD}"},
    ],
)
async def test_the_password_opens(headers: dict[str, str]) -> None:
    assert (await _get("/v1/agents/", **headers)).status_code == 200


@pytest.mark.rule("api-1.11")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": PASSWORD},
        {"authorization": "Bearer "},
        {"authorization": "Bearer correct"},
        {"authorization": f"Bearer {PASSWORD}x"},
        {"authorization": f"Basic {PASSWORD}"},
        {"authorization": b"Bearer \xff\xfe"},
        {"x_bare_password": PASSWORD},
        {"x_bare_password": f"Bearer {PASSWORD}"},
    ],
)
async def test_nothing_else_does(headers: dict[str, str | bytes]) -> None:
    refused = await _get("/v1/agents/", **headers)
    assert (refused.status_code, refused.json()) == (401, {"detail": "Unauthorized"})


@pytest.mark.rule("api-1.11")
async def test_health_answers_anybody_and_nothing_beside_it() -> None:
    assert {(await _get(path)).status_code for path in EXEMPT} == {200}
    for path in ("/openapi.json", "/", "/v1/health/x", "//v1/health", "/v1/health/../agents/"):
        assert (await _get(path)).status_code == 401


def test_a_socket_is_closed_before_it_opens() -> None:
    client = TestClient(_guarded("plain"))
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket"):
        pytest.fail("the socket opened without a password")
    headers = {"x-bare-password": "password plain"}
    with client.websocket_connect("/socket", headers=headers) as socket:
        assert socket.receive_text() == "hello"


def test_an_empty_password_is_no_password() -> None:
    with pytest.raises(ValueError, match="everybody"):
        PasswordGate(Starlette(), password="")
