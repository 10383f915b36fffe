"""What every request passes before a route sees it (api 1.1, 1.6)."""

import asyncio
import json
from collections.abc import AsyncGenerator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eunoe.http.intake import Intake, cleaned, is_too_deep
from eunoe.http.replies import JsonReply, encoded

pytestmark = pytest.mark.anyio
LIMIT = 1000


async def echo(request: Request) -> Response:
    body = await request.body()
    is_json = "json" in request.headers.get("content-type", "")
    return JSONResponse(
        {
            "path": request.url.path,
            "query": dict(request.query_params),
            "body": json.loads(body) if body and is_json else len(body),
        }
    )


def client() -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/v1/{rest:path}", echo, methods=["GET", "POST"])])
    transport = httpx.ASGITransport(Intake(app, limit=LIMIT))
    return httpx.AsyncClient(transport=transport, base_url="http://server")


@pytest.mark.rule("api-1.1")
async def test_latest_is_v1() -> None:
    async with client() as http:
        assert (await http.get("/latest/agents/")).json()["path"] == "/v1/agents/"
        assert (await http.get("/v1/latest/x")).json()["path"] == "/v1/latest/x"
        assert (await http.get("/latestish")).status_code == 404


@pytest.mark.rule("api-1.6")
async def test_text_that_cannot_be_stored_is_cleaned() -> None:
    async with client() as http:
        answer = await http.post(
            "/v1/x%00y?q=a%00b",
            content=rb'{"a\u0000": ["b\ud800c", "\ud83d\ude00"], "n": 123456789012345678901}',
            headers={"content-type": "application/json"},
        )
    assert answer.json() == {
        "path": "/v1/xy",
        "query": {"q": "ab"},
        "body": {"a": ["bc", "😀"], "n": 123456789012345678901},
    }


def test_clean_and_broken_bodies_are_left_as_they_are() -> None:
    for body in (b'{"a": 1}', rb'{"\u0000', rb'{"a": "\u00e9"}', b"[" * 99_999 + rb'"\ud800'):
        assert cleaned(body) is body


@pytest.mark.rule("api-1.6")
def test_a_body_that_is_too_deep_to_be_cleaned_is_left_to_who_reads_it() -> None:
    for depth in (990, 3000):
        body = b'{"a":' * depth + rb'"\u0000"' + b"}" * depth
        assert cleaned(body) is body


@pytest.mark.rule("api-3.2")
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data"])
async def test_a_body_past_the_limit_is_refused(content_type: str) -> None:
    headers = {"content-type": content_type}

    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(11):
            yield b" " * 100

    async with client() as http:
        told = await http.post("/v1/x", content=b" " * (LIMIT + 1), headers=headers)
        found_out = await http.post("/v1/x", content=pieces(), headers=headers)
        whole = await http.post("/v1/x", content=b"1" + b" " * (LIMIT - 1), headers=headers)
    assert (told.status_code, found_out.status_code, whole.status_code) == (413, 413, 200)
    assert "1000 bytes" in told.json()["detail"]


@pytest.mark.rule("api-1.6")
def test_a_reply_never_fails_for_its_text() -> None:
    assert encoded({"a": "b\ud800c", "n": None}) == b'{"a":"bc","n":null}'
    assert JsonReply(["é"]).body == '["é"]'.encode()


@pytest.mark.rule("api-3.2")
async def test_headers_without_end_are_refused() -> None:
    async with client() as http:
        refused = await http.get("/v1/x", headers={"x-long": "y" * 70_000})
        assert (refused.status_code, "headers" in refused.json()["detail"]) == (431, True)
        assert (await http.get("/v1/x", headers={"x-long": "y" * 7_000})).status_code == 200


@pytest.mark.rule("api-3.2")
async def test_more_headers_than_anybody_needs_are_refused() -> None:
    async with client() as http:
        many = {f"x-{number}": "y" for number in range(200)}
        assert (await http.get("/v1/x", headers=many)).status_code == 431


@pytest.mark.rule("api-3.2")
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data"])
async def test_a_body_that_does_not_arrive_is_not_waited_for(content_type: str) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b'{"a":'
        await asyncio.Event().wait()

    app = Starlette(routes=[Route("/v1/{rest:path}", echo, methods=["POST"])])
    transport = httpx.ASGITransport(Intake(app, timeout_s=0.05))
    headers = {"content-type": content_type}
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
        slow = await http.post("/v1/x", content=pieces(), headers=headers)
    assert (slow.status_code, slow.headers["connection"]) == (408, "close")
    assert "0.05 seconds" in slow.text


def nested(depth: int) -> bytes:
    opening = b"".join(b'{"a":[' for _ in range(depth // 2)) + b"[" * (depth % 2)
    return opening + b'"]}"' + b"]" * (depth % 2) + b"]}" * (depth // 2)


@pytest.mark.rule("api-3.2")
async def test_a_body_that_is_nested_without_end_is_refused() -> None:
    headers = {"content-type": "application/json"}
    async with client() as http:
        deep = await http.post("/v1/x", content=b"[" * 301 + b"]" * 301, headers=headers)
    assert (deep.status_code, "300 levels" in deep.text) == (400, True)


@given(st.integers(1, 600))
def test_how_deep_is_too_deep(depth: int) -> None:
    assert json.loads(nested(depth)) is not None
    assert is_too_deep(nested(depth)) == (depth > 300)


@given(
    st.recursive(
        st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_is_flat_or_broken_is_left_to_who_reads_it(value: object) -> None:
    body = json.dumps([value, *[[{}, "[{\\"]] * 300]).encode()
    assert not is_too_deep(body)
    assert not is_too_deep(body[: len(body) // 2])
    assert not is_too_deep(b"[" * 1000)
