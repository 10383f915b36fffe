"""Whether the server is up (api 20): open to all, and without a look at the database."""

from starlette.responses import Response
from typing_extensions import TypedDict

from eunoe.http.deps import RuntimeDep
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1

router = v1(tag="health")


class Health(TypedDict):
    version: str
    status: str


@router.get("/health/", **answers("check_health", Health))
async def health(runtime: RuntimeDep) -> Response:
    return JsonReply({"version": runtime.version, "status": "ok"})


@router.get(
    "/ready/",
    operation_id="check_readiness",
    responses={200: {"model": Health}, 503: {"model": Health}},
)
async def ready(runtime: RuntimeDep) -> Response:
    """Say whether to send requests here: a server that is about to stop wants none (8.5)."""
    draining = runtime.runner.draining
    body = {"version": runtime.version, "status": "draining" if draining else "ok"}
    return JsonReply(body, status=503 if draining else 200)
