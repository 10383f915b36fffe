"""One attempt at a request through pydantic-ai's model layer; imported only when needed."""

from collections.abc import AsyncGenerator
from typing import Final, cast

import orjson
from google.auth.exceptions import GoogleAuthError
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.models import Model as VendorLibrary
from pydantic_ai.settings import ModelSettings

from eunoe.domain.events import ModelEvent
from eunoe.domain.messages import Json
from eunoe.engine.ports import ModelRequest
from eunoe.errors import (
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
from eunoe.llm.connection import Timeouts
from eunoe.llm.faults import Origin, classified, redacted, worded
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.tags import OpenedThought
from eunoe.llm.vendor import Wire
from eunoe.llm.vendor_capture import Catch
from eunoe.llm.vendor_clients import connected
from eunoe.llm.vendor_events import VendorReply
from eunoe.llm.vendor_request import Manner, vendor_messages, vendor_parameters
from eunoe.llm.vendor_settings import Profile, model_name, prefills, thinking, vendor_settings


class VendorTalker:
    """Talks to one provider through its library's client, which it owns, or to `catch` alone."""

    def __init__(
        self,
        provider: ProviderConfig,
        *,
        wire: Wire,
        origin: Origin,
        timeouts: Timeouts,
        catch: Catch | None = None,
    ) -> None:
        self._library, self._close = connected(provider, wire=wire, timeouts=timeouts, catch=catch)
        self._wire: Wire = wire
        self._origin = origin
        self._timeouts = timeouts
        self._models: dict[str, VendorLibrary] = {}

    async def aclose(self) -> None:
        await self._close()

    async def attempt(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Ask once. Raises `ModelError`; anything else is a fault of ours."""
        name = model_name(request.config)
        model = self._models.get(name) or self._models.setdefault(name, self._library(name))
        settings = vendor_settings(
            request,
            wire=self._wire,
            silence_s=self._timeouts.silence_s,
            profile=cast("Profile", model.profile),
        )
        manner = Manner(
            wire=self._wire,
            system=model.system,
            thinks=thinking(request) is not None,
            prefills=prefills(request, wire=self._wire),
        )
        reply = VendorReply(
            wire=self._wire,
            opened=OpenedThought() if manner.prefills else None,
            callable=_callable(request) if self._wire == "google" else frozenset(),
        )
        try:
            async with model_request_stream(
                model,
                vendor_messages(request, manner=manner),
                model_settings=cast("ModelSettings", settings),
                model_request_parameters=vendor_parameters(request, wire=self._wire),
                instrument=False,
            ) as stream:
                async for event in stream:
                    for said in reply.take(event):
                        yield said
                for said in reply.closed(stream, origin=self._origin):
                    yield said
        except (ModelAPIError, UnexpectedModelBehavior, UserError, GoogleAuthError) as error:
            raise self._fault(error, begun=reply.begun) from error

    def _fault(self, error: Exception, *, begun: bool) -> ModelError:
        if isinstance(error, ModelHTTPError):
            return classified(
                error.status_code,
                _message(error),
                code=error.provider_error_code or "",
                kind=error.provider_error_type or "",
                headers=_waiting(error),
                origin=self._origin,
            )
        cause = next(ours for theirs, ours in _CAUSES if isinstance(error, theirs))
        if begun and cause is ModelUnreachable:
            cause = ModelReplyCut
        mark = " [BYOK]" if self._origin.is_byok else ""
        return cause(
            f"{self._origin.name}: {redacted(str(error), self._origin)}{mark}",
            retry_after_s=error.retry_after if isinstance(error, ModelAPIError) else None,
            provider=self._origin.name,
            is_byok=self._origin.is_byok,
        )


_CAUSES: Final[tuple[tuple[type[Exception], type[ModelError]], ...]] = (
    (ModelTimeoutError, ModelTimedOut),
    (ModelConnectionError, ModelUnreachable),
    (ModelOverloadedError, ModelOverloaded),
    (ModelRateLimitError, ModelRateLimited),
    (ModelQuotaExceededError, ModelCreditExhausted),
    (ModelAPIError, ModelError),
    (UnexpectedModelBehavior, ModelReplyInvalid),
    (UserError, ModelRequestRefused),
    (GoogleAuthError, ModelKeyRefused),
)
"""What an error without a status of its own means; the first that fits."""


def _callable(request: ModelRequest) -> frozenset[str]:
    """Return the tools that may be called in words; no loop that answers in text has any (P34)."""
    return frozenset(tool.name for tool in request.tools if request.heartbeats)


def _message(error: ModelHTTPError) -> str:
    """Return the provider's own words, out of the body they came in."""
    body = error.body
    while isinstance(body, dict):
        inner = cast("Json", body)
        body = inner.get("error") or inner.get("message") or orjson.dumps(inner).decode()
    return worded(str(body or error))


def _waiting(error: ModelHTTPError) -> dict[str, str]:
    headers = error.headers or {}
    if error.retry_after is None:
        return {name: value for name, value in headers.items() if name.startswith("retry-after")}
    return {"retry-after": str(error.retry_after)}
