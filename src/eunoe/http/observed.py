"""What telemetry sees of a request: a span of its route and, where agents are spoken to, its time.

Nothing of a body or a query is taken, and few headers: they hold messages and keys.
"""

import asyncio
import re
import time
import uuid
from collections.abc import ItemsView
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eunoe import telemetry
from eunoe.errors import ServerStopping
from eunoe.http.errors import answer_of

_GIVEN: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_QUIET: Final = ("/v1/health", "/v1/ready", "/metrics")
_MEASURED: Final = ("/messages", "/messages/stream", "/messages/async")
_BOUND: Final = {
    b"x-request-id": "request_id",
    b"x-organization-id": "organization_id",
    b"x-project-id": "project_id",
    b"x-base-template-id": "base_template_id",
    b"x-template-id": "template_id",
    b"x-agent-id": "counted_agent_id",
    b"traceparent": "traceparent",
}
_SHOWN: Final = {
    b"user-agent": "client",
    b"x-stainless-lang": "sdk.language",
    b"x-stainless-package-version": "sdk.version",
    b"user_id": "user.id",
}


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
        answering = False
        given = _given(scope)
        within = given.pop("traceparent", None)

        async def started(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                if telemetry.collects():
                    took_ms = (time.perf_counter() - began) * 1000
                    _describe(scope, status=int(message["status"]), took_ms=took_ms)
            await send(message)

        with (
            telemetry.bind(**given),
            telemetry.span(str(scope["method"]), kind="server", within=within),
        ):
            try:
                await self._app(scope, receive, started)
            except asyncio.CancelledError:
                # Whoever ends the process has waited for long enough; it would answer a bare 500.
                if answering:
                    raise
                await answer_of(ServerStopping())(scope, receive, started)


def _given(scope: Scope) -> dict[str, str]:
    """Return what the request's headers say it belongs to; its id is a new one where none does."""
    found = {
        _BOUND[name]: value.decode()
        for name, value in scope["headers"]
        if name in _BOUND and _GIVEN.fullmatch(value)
    }
    found.setdefault("request_id", uuid.uuid4().hex)
    return found


def _describe(scope: Scope, *, status: int, took_ms: float) -> None:
    """Name the span after the route, which is known by now, and measure where agents are asked."""
    method, template = str(scope["method"]), _template(scope)
    shown = {
        _SHOWN[name]: value.decode("latin-1")[:200]
        for name, value in scope["headers"]
        if name in _SHOWN
    }
    parameters = {f"http.{name}": str(value) for name, value in _parameters(scope)}
    telemetry.describe(
        {
            "http.method": method,
            "http.route": template,
            "http.url": scope["path"],
            "http.status_code": status,
            **parameters,
            **shown,
        },
        name=f"{method} {template}",
    )
    if method == "POST" and template.endswith(_MEASURED):
        telemetry.record_request(path=template, method=method, status=status, took_ms=took_ms)


def _parameters(scope: Scope) -> ItemsView[str, Any]:
    found: dict[str, Any] = scope.get("path_params", {})
    return found.items()


def _template(scope: Scope) -> str:
    """Return the path of the route with its parameters unfilled, so that labels stay few."""
    route = scope.get("route")
    return str(getattr(route, "path", "unknown"))
