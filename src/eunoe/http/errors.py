"""The one table from failures to answers (api 3, streaming 9.2).

A kind decides the status, a class may overrule it. Texts start with a fixed token
and never carry what is inside the server.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eunoe import errors, telemetry
from eunoe.domain.events import Failed
from eunoe.domain.messages import Json
from eunoe.errors import EunoeError, Kind, ModelError
from eunoe.http.replies import JsonReply
from eunoe.ids import UUID4

log: Final = logging.getLogger("eunoe.http")

_STATUS: Final[dict[Kind, int]] = {
    "invalid": 400,
    "denied": 403,
    "missing": 404,
    "conflict": 409,
    "upstream": 500,
    "unavailable": 503,
}
_STATUS_OF: Final[dict[type[EunoeError], int]] = {
    EunoeError: 500,
    errors.EnvironmentsNotServed: 501,
    errors.RunExpired: 410,
    errors.BlockFull: 422,
    errors.ValueTooLong: 422,
    errors.AgentUnnamed: 422,
    errors.KeyReused: 422,
    errors.LineFull: 429,
    errors.BudgetSpent: 402,
    errors.CompletionFailed: 502,
    errors.McpAddressRefused: 422,
    errors.McpTimedOut: 408,
    errors.RequestsTooMany: 429,
    errors.FileTypeUnsupported: 415,
}
_TOKEN: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "PAYMENT_REQUIRED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "TIMEOUT",
    409: "CONFLICT",
    410: "EXPIRED",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_SERVER_ERROR",
    504: "TIMEOUT",
}
_TOKEN_OF: Final[dict[type[EunoeError], str]] = {
    errors.ContextOverflow: "CONTEXT_WINDOW_EXCEEDED",
    errors.SystemPromptTooLarge: "CONTEXT_WINDOW_EXCEEDED",
    errors.NothingToCancel: "NO_ACTIVE_RUNS_TO_CANCEL",
}
_PLAIN: Final = (errors.ModelOverloaded, errors.ContextOverflow, errors.SystemPromptTooLarge)
"""Failures of a model that answer with the plain shape (streaming 9.3)."""
_LLM_TYPES: Final = {
    "llm_timeout",
    "llm_rate_limit",
    "llm_insufficient_credits",
    "llm_authentication",
    "llm_bad_request",
    "bedrock_permission_denied",
}
_OPAQUE: Final = "The server failed; its log says why. Try again, and report it if it lasts."
_ID_FAILURES: Final = {"string_pattern_mismatch", "string_too_short", "string_too_long"}
# That of a job names two kinds, and that of a conversation's address other ways to name one.
_ID_PATTERN: Final = re.compile(
    r"\^(?:\(\?:|\(default\|)?(?P<prefix>[a-z_-]+)(?:\|[a-z|]+\))?-"
    + re.escape(UUID4)
    + r"(?:\|.+\))?\$"
)
_SAMPLE_UUID: Final = "123e4567-e89b-42d3-8456-426614174000"
_NO_RETRY: Final = {"x-should-retry": "false"}
_LASTING: Final = {HTTPStatus.CONFLICT, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.PAYMENT_REQUIRED}


def install(app: FastAPI) -> None:
    """Make `app` answer every failure by this table."""
    app.add_exception_handler(EunoeError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(ValidationError, _on_invalid_value)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unforeseen)


def answer_of(error: EunoeError) -> Response:
    """Return the answer that tells a client of `error`."""
    return _answer(type(error), str(error), error.detail, retry_after_s=_retry_after(error))


def answer_of_failed(failed: Failed) -> Response:
    """Return the answer of a blocking send whose run failed.

    As if the error were raised here, but never to be retried: the same request finds the
    same run (G-6).
    """
    cause = _BY_CODE.get(failed.code, EunoeError)
    answer = _answer(cause, failed.message, {"detail": failed.detail}, retry_after_s=None)
    answer.headers.update(_NO_RETRY)
    answer.headers["x-letta-run-id"] = failed.run_id
    return answer


def _all_classes(base: type[EunoeError]) -> Iterable[type[EunoeError]]:
    yield base
    for derived in base.__subclasses__():
        yield from _all_classes(derived)


_BY_CODE: Final = {cause.code: cause for cause in _all_classes(EunoeError)}


def status_of(cause: type[EunoeError]) -> int:
    """Return the HTTP status of a class of failures."""
    if issubclass(cause, ModelError):
        return cause.status
    if issubclass(cause, errors.McpError):
        return _STATUS_OF.get(cause, HTTPStatus.BAD_GATEWAY)
    return _STATUS_OF.get(cause, _STATUS[cause.kind])


def _answer(
    cause: type[EunoeError],
    message: str,
    detail: Mapping[str, object],
    *,
    retry_after_s: float | None,
) -> Response:
    status = status_of(cause)
    if issubclass(cause, ModelError) and not issubclass(cause, _PLAIN):
        body = _llm_body(cause, message, detail)
    else:
        body = _plain_body(cause, message, detail, status=status)
    headers: dict[str, str] = {}
    if issubclass(cause, errors.McpError):
        body["error"] = _error_body(cause.code, message, detail)
        headers.update(_NO_RETRY)
    if status in _LASTING and not cause.heals:
        headers.update(_NO_RETRY)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(retry_after_s)))
    if issubclass(cause, errors.RequestsTooMany):
        headers["x-should-retry"] = "true"
    return JsonReply(body, status=status, headers=headers)


def _plain_body(
    cause: type[EunoeError], message: str, detail: Mapping[str, object], *, status: int
) -> Json:
    if issubclass(cause, errors.ApprovalPending):
        # Clients look for the request to answer (streaming 9.2).
        waiting = detail.get("request_id")
        told = {"code": "PENDING_APPROVAL", "message": message, "pending_request_id": waiting}
        return {"detail": told}
    token = _TOKEN_OF.get(cause) or _TOKEN.get(status)
    body: Json = {"detail": f"{token}: {message}" if token else message}
    if issubclass(cause, errors.Conflict) and isinstance(detail.get("run_id"), str):
        body["run_id"] = detail["run_id"]
    return body


def _llm_body(cause: type[ModelError], message: str, detail: Mapping[str, object]) -> Json:
    kind = cause.code if cause.code in _LLM_TYPES else "llm_error"
    return {"error": _error_body(kind, message, detail)}


def _error_body(kind: str, message: str, detail: Mapping[str, object]) -> Json:
    given = detail.get("detail")
    return {
        "type": kind,
        "message": message,
        "detail": given if isinstance(given, str) else message,
    }


def _retry_after(error: EunoeError) -> float | None:
    if isinstance(error, ModelError | errors.RequestsTooMany):
        return error.retry_after_s
    return 1 if isinstance(error, errors.WriteConflict) else None


async def _on_ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, EunoeError):
        raise error
    answer = answer_of(error)
    failed = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    foreign = isinstance(error, errors.McpError)
    if failed and not foreign and answer.status_code != HTTPStatus.NOT_IMPLEMENTED:
        log.error("%s %s: %s", request.method, request.url.path, error.code, exc_info=error)
    return answer


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    token = _TOKEN.get(error.status_code)
    text = str(error.detail)
    return JsonReply(
        {"detail": f"{token}: {text}" if token else text},
        status=error.status_code,
        headers=error.headers,
    )


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s: unforeseen", request.method, request.url.path, exc_info=error)
    telemetry.report(error)
    return JsonReply({"detail": f"INTERNAL_SERVER_ERROR: {_OPAQUE}"}, status=500)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return unprocessable(error.errors())


async def _on_invalid_value(request: Request, error: Exception) -> Response:
    """Answer for a shape that a handler filled in and found wrong, e.g. an uploaded file."""
    if not isinstance(error, ValidationError):
        raise error
    return unprocessable(error.errors())


def unprocessable(found: Iterable[Mapping[str, object]]) -> Response:
    """Return 422: `detail` is one string, the Python form of the error list (api 3.1, 3.4).

    `examples` holds a sample of each kind of id that was malformed.
    """
    entries: list[Json] = []
    samples: set[str] = set()
    for one in found:
        prefix = _malformed_id(one)
        if prefix is None:
            entries.append(_entry(one))
        else:
            samples.add(f"{prefix}-{_SAMPLE_UUID}")
            entries.append(_id_entry(one, prefix))
    body: Json = {"trace_id": "", "detail": str(entries)}
    if samples:
        body["examples"] = sorted(samples)
    return JsonReply(body, status=422)


def _malformed_id(entry: Mapping[str, object]) -> str | None:
    """Return the prefix of the id that a path failed to hold, null for any other failure."""
    if entry.get("type") not in _ID_FAILURES:
        return None
    context = cast("Json", entry.get("ctx") or {})
    found = _ID_PATTERN.fullmatch(str(context.get("pattern", "")))
    return None if found is None else found["prefix"]


def _id_entry(entry: Mapping[str, object], prefix: str) -> Json:
    form = f"{prefix}-{{uuid4}}"
    return {
        "type": "string_pattern_mismatch",
        "loc": entry.get("loc"),
        "msg": f"String should match pattern '{form}'",
        "input": str(entry.get("input"))[:100],
        "ctx": {"pattern": form},
    }


def _entry(entry: Mapping[str, object]) -> Json:
    """Return what was wrong and where, without the input: it may hold a secret."""
    return {"type": entry.get("type"), "loc": entry.get("loc"), "msg": entry.get("msg")}
