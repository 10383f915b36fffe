"""A provider whose answers are wrong in every way but the address: the last word says how."""

import re
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Final

import orjson
from anyio.from_thread import start_blocking_portal

from eunoe.testing.http_server import (
    STREAM_HEAD,
    Answer,
    ConnectionCut,
    Request,
    chunk,
    json_response,
    response,
    serving,
)

_DELTA: Final = (
    b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}\n\n'
)
_SSE: Final = "text/event-stream"
_ERROR: Final = {"error": {"message": "the cluster is on fire", "type": "server_error"}}

WRONG: Final[dict[str, bytes]] = {
    "html": response(200, b"<html><h1>502 Bad Gateway</h1></html>", content_type="text/html"),
    "empty": response(200, b""),
    "half": response(200, _DELTA[:40], content_type=_SSE),
    "not-json": response(200, b"data: {oops\n\ndata: [DONE]\n\n", content_type=_SSE),
    "error-in-200": json_response(_ERROR),
    "error-in-stream": response(
        200, b"data: " + orjson.dumps(_ERROR) + b"\n\ndata: [DONE]\n\n", content_type=_SSE
    ),
    "no-finish": response(200, _DELTA + b"data: [DONE]\n\n", content_type=_SSE),
    "wrong-types": response(
        200, b'data: {"choices":[{"delta":{"content":[1,2]},"index":"x"}]}\n\n', content_type=_SSE
    ),
    "no-choices": response(200, b'data: {"choices":[]}\n\ndata: [DONE]\n\n', content_type=_SSE),
    "list": json_response([1, 2, 3]),
    "not-http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "html-500": response(500, b"<html>oh no</html>", content_type="text/html"),
    "no-chunk": STREAM_HEAD + b"not a size\r\n" + _DELTA + b"\r\n0\r\n\r\n",
    "shorter-than-said": response(200, _DELTA + b"data: [DONE]\n\n", content_type=_SSE).replace(
        b"content-length: ", b"content-length: 1\r\nx-was: "
    ),
    "teapot": response(418, b"\xff\xfe\x00", content_type="application/json"),
}
_TOO_LONG: Final = response(200, _DELTA, content_type=_SSE, headers={"x-odd": "\x7f"}).replace(
    b"content-length: ", b"content-length: 9"
)
CUT: Final[dict[str, bytes]] = {
    "cut-in-a-chunk": STREAM_HEAD + chunk(_DELTA)[:-20],
    "cut-before-its-length": _TOO_LONG,
    "cut-at-once": b"",
}
"""Answers after which the connection is closed."""
KINDS: Final = (*WRONG, *CUT)

_KIND: Final = re.compile(rb"RUBBISH ([\w-]+)")
_LISTED: Final = json_response({"object": "list", "data": [{"id": "rubbish", "object": "model"}]})


async def _cut(sent: bytes) -> AsyncIterator[bytes]:
    yield sent
    raise ConnectionCut


def _answer(request: Request) -> Answer:
    if request.path.endswith("/models"):
        return _LISTED
    kinds = _KIND.findall(request.body)
    kind = kinds[-1].decode() if kinds else "html"
    return _cut(CUT[kind]) if kind in CUT else WRONG[kind]


@contextmanager
def rubbish_provider() -> Generator[str]:
    """Serve the provider on a thread for the block and yield its URL, `/v1` included."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(_answer)) as url,
    ):
        yield f"{url}/v1"
