"""How routes are gathered: under the version's prefix from the start, and for every application."""

from typing import Final

from fastapi import APIRouter
from typing_extensions import TypedDict

from eunoe.domain.messages import Json
from eunoe.http.document import Route

VERSION: Final = "/v1"


def v1(
    prefix: str = "", *, tag: str, deprecated: bool | None = None, route_class: type[Route] = Route
) -> APIRouter:
    """Return a router whose routes stand as they are.

    Including a router in an application makes each of its routes once more, with all its
    models, at the first request.
    """
    return APIRouter(
        prefix=f"{VERSION}{prefix}",
        tags=[tag],
        deprecated=deprecated,
        route_class=route_class,
        strict_content_type=False,
    )


class Answers(TypedDict):
    operation_id: str
    status_code: int | None
    responses: dict[int | str, Json]


def answers(
    operation_id: str, model: object, *, status: int = 200, content: Json | None = None
) -> Answers:
    """Return what describes an operation that answers with `model`, or with other `content`."""
    told: Json = {"model": model} if content is None else {"model": model, "content": content}
    return {"operation_id": operation_id, "status_code": status, "responses": {status: told}}
