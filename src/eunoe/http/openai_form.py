"""The manners of OpenAI's API: its error bodies, and streams that its clients can read."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.agents import Agent
from eunoe.domain.events import Ended, Failed, RunEvent
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run
from eunoe.errors import EunoeError, Invalid, Kind, Missing
from eunoe.http.deps import Caller
from eunoe.http.document import Route
from eunoe.http.errors import answer_of, answer_of_failed
from eunoe.http.replies import JsonReply
from eunoe.http.sse import DONE, frame
from eunoe.ids import is_id
from eunoe.store import agents, users
from eunoe.wire.completions import error_body
from eunoe.wire.messages import Lens
from eunoe.wire.speech import Close, Retelling, Speech, Teller, close_of, paragraphs

STREAM: Final[dict[str, Json]] = {"text/event-stream": {"schema": {"type": "string"}}}
_HEARTBEAT: Final = b": ping\n\n"
_TYPES: Final[Mapping[Kind, str]] = {
    "invalid": "invalid_request_error",
    "missing": "invalid_request_error",
    "denied": "permission_error",
    "conflict": "conflict_error",
    "upstream": "server_error",
    "unavailable": "server_error",
}


async def acting(me: Caller, user: str | None) -> Caller:
    """Return who acts: the user that the body names, where that is a user id of ours.

    Who brings a key acts as the user it is of, whoever is named (api 1.11).
    """
    if not user or not is_id("user", user) or me.actor.key_id is not None:
        return me
    return replace(me, actor=await users.acting(me.db, user))


async def agent_at(me: Caller, agent_id: str) -> Agent:
    """Return the agent that is asked in the place of a model; raise `Missing`."""
    async with me.read() as tx:
        agent = await agents.get(tx, agent_id)
    if agent is None:
        raise Missing(f"There is no agent {agent_id}.", param="model")
    return agent


async def model_of(me: Caller, agent_id: str) -> str:
    """Return the name of the model that the agent speaks through; raise `Missing`."""
    return (await agent_at(me, agent_id)).model.model


class OpenAiRoute(Route):
    """A route whose refusals have OpenAI's body; the status is that of any other route.

    Only a request that cannot be read differs: there OpenAI says 400.
    """

    plain: ClassVar[bool] = False
    """Whether refusals have this API's own `detail` too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except EunoeError as error:
                return _refused(error, plain=self.plain)
            except RequestValidationError as error:
                return _refused(_unreadable(error), plain=self.plain)
            except HTTPException as error:
                kind = "invalid_request_error"
                body = error_body(str(error.detail), kind=kind, code=Invalid.code)
                body |= {"detail": error.detail} if self.plain else {}
                return JsonReply(body, status=error.status_code, headers=error.headers)

        return handle_or_refuse


async def whole(
    me: Caller, run: Run, *, lens: Lens, told: Callable[[list[Speech], Close], object]
) -> Response:
    """Return the whole answer of a run: what is `told` of all it said and of how it ended."""
    outcome = await me.runtime.runner.fold(me.actor, run.id)
    close = close_of(run.id, reason=outcome.reason, used=outcome.used, failed=outcome.failed)
    if close.problem is not None:
        return _refused_by_run(close.problem)
    body = told(paragraphs(outcome.views, lens), close)
    return JsonReply(body, headers={"X-Letta-Run-Id": run.id})


def _refused_by_run(failed: Failed) -> Response:
    """Return the whole answer of a run that failed, never to be sent again by itself (G-6)."""
    told = answer_of_failed(failed)
    body = error_body(failed.message, kind=failed.error_type, code=failed.code)
    return _in_place_of(told, body)


def _refused(error: EunoeError, *, plain: bool) -> Response:
    param = error.detail.get("param")
    body = error_body(str(error), kind=_TYPES[error.kind], code=error.code, param=param)
    if plain:
        types = {name: value for name, value in error.detail.items() if name.endswith("_type")}
        body["detail"] = {"message": str(error), **types} if types else str(error)
    return _in_place_of(answer_of(error), body)


def _in_place_of(answer: Response, body: Json) -> Response:
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("content-length", "content-type")
    }
    return JsonReply(body, status=answer.status_code, headers=headers)


def _unreadable(error: RequestValidationError) -> Invalid:
    first: Mapping[str, Any] = error.errors()[0]
    # Of what is no JSON the place is a number of characters.
    steps = () if first["type"] == "json_invalid" else first["loc"][1:]
    where = ".".join(str(step) for step in steps)
    return Invalid(f"{where or 'body'}: {first['msg']}", param=where or None)


class OpenAiForm:
    """A run as a stream that OpenAI's clients read; `named` gives each frame its type as name."""

    def __init__(self, teller: Teller, *, run_id: str, lens: Lens, named: bool = False) -> None:
        self._telling = Retelling(teller, run_id=run_id, lens=lens)
        self._named = named

    def frames(self, event: RunEvent, *, seq: int) -> bytes:
        told = self._framed(self._telling.told(event))
        return told + DONE if isinstance(event, Ended) else told

    def broken(self, error: EunoeError) -> bytes:
        return self._framed(self._telling.broken(error)) + DONE

    def keepalive(self) -> bytes:
        return _HEARTBEAT

    def _framed(self, bodies: list[Json]) -> bytes:
        return b"".join(map(self._frame, bodies))

    def _frame(self, body: Json) -> bytes:
        name = f"event: {body['type']}\n".encode() if self._named and "type" in body else b""
        return name + frame(body)
