"""What telemetry sees of a request: a span of its route and, where agents are spoken to, its time.

Nothing of a body, a header or a query is taken: they hold messages and keys.
"""

import re
import time
import uuid
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eunoe import telemetry

# The route is known only once it is served, and the name of a span as it begins.
_ID: Final = re.compile(r"/[a-z_]+-[0-9a-f-]{36}(?=/|$)")
_GIVEN: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_QUIET: Final = ("/v1/health", "/v1/ready", "/metrics")
_MEASURED: Final = ("/messages", "/messages/stream", "/messages/async")


class Observed:
    """ASGI middleware, outermost, so that its span covers everything a request does.

    For a stream the time is that until the headers (streaming 8.3).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_QUIET):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        name = f"{scope['method']} {_ID.sub('/{id}', scope['path'])}"
        with (
            telemetry.bind(request_id=_request_id(scope)),
            telemetry.span(name, kind="server") as span,
        ):

            async def started(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                    span.set_attribute("http.method", scope["method"])
                    span.set_attribute("http.route", _template(scope))
                    span.set_attribute("http.status_code", status)
                    _measure(scope, status=status, took_ms=(time.perf_counter() - began) * 1000)
                await send(message)

            await self._app(scope, receive, started)


def _request_id(scope: Scope) -> str:
    """Return the id that a proxy or client gave the request, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN.fullmatch(value):
            return value.decode()
    return uuid.uuid4().hex


def _measure(scope: Scope, *, status: int, took_ms: float) -> None:
    template = _template(scope)
    if scope["method"] != "POST" or not template.endswith(_MEASURED):
        return
    where: dict[str, Any] = {
        "endpoint_path": template,
        "method": scope["method"],
        "status_code": status,
    }
    telemetry.count("count_endpoint_requests", **where)
    telemetry.measure("hist_endpoint_e2e_ms", took_ms, **where)


def _template(scope: Scope) -> str:
    """Return the path of the route with its parameters unfilled, so that labels stay few."""
    route = scope.get("route")
    return str(getattr(route, "path", scope["path"]))
