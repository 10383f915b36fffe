"""What a provider's refusal or a broken connection means, as one of our errors (P36)."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import orjson

from eunoe.domain.messages import Json
from eunoe.errors import (
    BedrockPermissionDenied,
    ContextOverflow,
    ModelCreditExhausted,
    ModelError,
    ModelKeyRefused,
    ModelOverloaded,
    ModelRateLimited,
    ModelReplyCut,
    ModelReplyInvalid,
    ModelRequestRefused,
    ModelTimedOut,
    ModelUnreachable,
)

_SHOWN_CHARS: Final = 1_000
_PAGE: Final = "an HTML page in place of a reply; check the base URL"
_OVERLOADED: Final = 529
"""Anthropic's own status."""
_OVERFLOW_CODES: Final = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "model_max_prompt_tokens_exceeded"}
)
_OVERFLOW: Final = re.compile(
    r"context[ _]length|context[ _]window|available context size|context the overflows"
    r"|prompt is too long|input is too long|input length and .?max_tokens.? exceed"
    r"|input token count.*exceeds the maximum|maximum (prompt|input) length"
    r"|exceeds the maximum number of (input )?tokens|reduce the length of the messages"
    r"|too large for model with \d+ maximum context",
    re.IGNORECASE,
)
_AWS_DENIES: Final = "AccessDeniedException"
_CREDIT_CODES: Final = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "insufficient_credits"}
)
_CREDIT: Final = re.compile(
    r"insufficient (quota|credits?|balance|funds)|exceeded your current quota"
    r"|credit balance is too low|billing (hard limit|details)|out of credits|payment required",
    re.IGNORECASE,
)
_KEY_LIKE: Final = re.compile(r"\b(?:sk|pk|gsk|xai|key|r8|hf|AIza)[-_]?[A-Za-z0-9*_-]{12,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who is asked: the provider's name, the secrets to keep out of texts, and whose key it is."""

    name: str
    secrets: tuple[str, ...] = ()
    is_byok: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Complaint:
    """What the provider says is wrong, in its own words."""

    message: str
    code: str = ""
    kind: str = ""


def redacted(text: str, origin: Origin) -> str:
    """Return `text` without the origin's secrets nor anything that looks like a key."""
    for secret in origin.secrets:
        text = text.replace(secret, "[redacted]")
    return _KEY_LIKE.sub("[redacted]", text)[:_SHOWN_CHARS]


def refusal(status: int, body: bytes, *, headers: Mapping[str, str], origin: Origin) -> ModelError:
    """Return the error that an HTTP answer of `status` means, in the order of P36."""
    complaint = _complaint(body, content_type=headers.get("content-type", ""))
    return classified(
        status, complaint.message, code=complaint.code, kind=complaint.kind,
        headers=headers, origin=origin,
    )  # fmt: skip


def in_stream(error: object, *, origin: Origin) -> ModelError:
    """Return the error that a provider reported inside a reply that had begun with 200."""
    complaint = _of_error(error) or _Complaint(message=str(error))
    status = int(complaint.code) if re.fullmatch(r"[45]\d\d", complaint.code) else 500
    return classified(
        status, complaint.message, code=complaint.code, kind=complaint.kind,
        headers={}, origin=origin,
    )  # fmt: skip


def classified(
    status: int, message: str, *, code: str, kind: str, headers: Mapping[str, str], origin: Origin
) -> ModelError:
    """Return the error for a refusal whose parts are known. `kind` is the provider's error type."""
    wait_s = retry_after_s(headers)
    cause = _cause(status, message, {code, kind}, waits=wait_s is not None)
    mark = " [BYOK]" if origin.is_byok else ""
    said = redacted(message, origin) or "it gave no reason"
    return cause(
        f"{origin.name} answered {status}: {said}{mark}",
        retry_after_s=wait_s,
        provider=origin.name,
        http_status=status,
        is_byok=origin.is_byok,
    )


def _cause(status: int, message: str, codes: set[str], *, waits: bool) -> type[ModelError]:
    overflows = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or codes & _OVERFLOW_CODES
    if overflows or (status != HTTPStatus.TOO_MANY_REQUESTS and _OVERFLOW.search(message)):
        return ContextOverflow
    # Some providers word a per-minute limit as a quota; those say when to come back.
    if (
        status == HTTPStatus.PAYMENT_REQUIRED
        or codes & _CREDIT_CODES
        or (not waits and _CREDIT.search(message))
    ):
        return ModelCreditExhausted
    if status == _OVERLOADED or any("overloaded" in text for text in codes):
        return ModelOverloaded
    known = {429: ModelRateLimited, 401: ModelKeyRefused, 408: ModelTimedOut}
    if status in known:
        return known[status]
    if status in {403, 404, 422} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BedrockPermissionDenied if _AWS_DENIES in codes else ModelError
    return ModelRequestRefused


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that the provider asks for, in seconds, milliseconds or a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    if not value:
        return None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _complaint(body: bytes, *, content_type: str) -> _Complaint:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()
        return _Complaint(message=_PAGE if "html" in content_type else worded(text))
    if isinstance(value, list) and value:
        value = cast("list[object]", value)[0]
    whole = cast("Json", value) if isinstance(value, dict) else {}
    for key in ("error", "detail", "message"):
        found = _of_error(whole.get(key))
        if found:
            return found
    return _Complaint(message=body.decode("utf-8", "replace").strip())


def worded(text: str) -> str:
    """Return what a body that is no JSON says; nobody wants to read a page in an error."""
    return _PAGE if text.lstrip()[:1] == "<" else text


def _of_error(error: object) -> _Complaint | None:
    if isinstance(error, str) and error:
        return _Complaint(message=error)
    if not isinstance(error, dict) or not error:
        return None
    parts = cast("Json", error)
    message = parts.get("message") or parts.get("detail") or orjson.dumps(parts).decode()
    code, kind = parts.get("code"), parts.get("type") or parts.get("status")
    return _Complaint(message=str(message), code=str(code or ""), kind=str(kind or ""))


def disconnection(error: httpx.RequestError, *, begun: bool, origin: Origin) -> ModelError:
    """Return the error that a failure of the transport means; `begun` once a reply had started."""
    detail: dict[str, Any] = {"provider": origin.name, "is_byok": origin.is_byok}
    said = redacted(str(error), origin) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return ModelTimedOut(
                f"{origin.name} did not accept a connection in time.", connecting=True, **detail
            )
        case httpx.TimeoutException():
            return ModelTimedOut(f"{origin.name} did not answer in time.", **detail)
        case httpx.DecodingError():
            return ModelReplyInvalid(f"{origin.name} sent a body that cannot be decoded.", **detail)
        case _ if begun:
            return ModelReplyCut(f"The reply of {origin.name} broke off: {said}", **detail)
        case _:
            return ModelUnreachable(f"{origin.name} cannot be reached: {said}", **detail)
