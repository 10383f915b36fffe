"""The OpenAPI document, made when it is asked for: a start waits for no model of an answer."""

import asyncio
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from eunoe.domain.messages import Json
from eunoe.http.direct import answered
from eunoe.wire.stream import StreamEvent

_PLACE: Final = "#/components/schemas/{model}"
STREAM: Final[Json] = {
    "text/event-stream": {"schema": {"$ref": _PLACE.format(model="StreamEvent")}}
}
"""What a stream of a run's events holds: the schema is of one event's data; `[DONE]` ends it."""

# FastAPI names a body by an alias, and silences this only where the model is made at once.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


class Route(APIRoute):
    """A route that is found at once, and made when it is first asked for.

    To make one takes its parameters and bodies apart into models, which for all of them is a
    large part of a start. Answers leave as they are made, past any model; the models describe
    them only.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        responses: dict[int | str, Json] | None = None,
        **options: Any,  # noqa: ANN401 -- FastAPI's own, passed on as they are
    ) -> None:
        self.path, self.endpoint, self.name = path, endpoint, endpoint.__name__
        self.methods: set[str] = set(options["methods"])
        self.options: Json = {"responses": responses, **options}
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.described = partial(APIRoute, path, endpoint, responses=responses, **options)
        """Makes the same route with the models of its answers."""
        self._make = partial(super().__init__, path, endpoint, **options)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["method"] in self.methods
        again = await answered(self.endpoint, scope, receive, send) if asked else receive
        if again is not None:
            await super().handle(scope, again, send)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the rest of a route is
        if name.startswith("__") or "app" in self.__dict__:
            raise AttributeError(name)
        self._make()
        return getattr(self, name)


def install(app: FastAPI) -> None:
    """Have the application serve the document of its routes, made once."""
    made: list[Json] = []

    def document() -> Json:
        if not made:
            routes = [
                one.described() if isinstance(one, Route) else one for one in app.router.routes
            ]
            whole = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=routes
            )
            made.append(_with_events(whole))
        return made[0]

    async def serve(request: Request) -> JSONResponse:
        del request
        # It takes seconds, in which others want their answers.
        return JSONResponse(await asyncio.to_thread(document))

    # FastAPI says that this is how its document is replaced.
    app.openapi = document
    app.router.routes[:] = [
        one for one in app.router.routes if getattr(one, "path", None) != app.openapi_url
    ]
    app.add_route(app.openapi_url or "/openapi.json", serve, include_in_schema=False)


def _with_events(document: Json) -> Json:
    """Add what the streams refer to."""
    event = TypeAdapter[StreamEvent](StreamEvent).json_schema(ref_template=_PLACE)
    schemas: Json = document["components"]["schemas"]
    for name, schema in (event.pop("$defs") | {"StreamEvent": event}).items():
        schemas.setdefault(name, schema)
    return document
