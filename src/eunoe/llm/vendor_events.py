"""pydantic-ai's stream of parts as model events."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import orjson
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import StreamedResponse
from pydantic_ai.usage import RequestUsage

from eunoe.domain.events import (
    CallDelta,
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    ReasoningSummary,
    SummaryDelta,
    TextDelta,
    UsageReported,
)
from eunoe.domain.runs import Usage
from eunoe.errors import ModelError, ModelReplyCut, ModelReplyEmpty
from eunoe.llm.faults import Origin
from eunoe.llm.spoken_calls import may_be_call, spoken_call
from eunoe.llm.tags import OpenedThought
from eunoe.llm.vendor import Wire
from eunoe.llm.vendor_request import REDACTED

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "tool_call": "tool_calls",
    "length": "length",
    "content_filter": "content_filter",
}


@dataclass(slots=True, kw_only=True)
class VendorReply:
    """What has come of one reply.

    Responses hands reasoning on in whole items; Google signs words and calls, not thoughts, and
    numbers no calls.
    """

    wire: Wire
    opened: OpenedThought | None = None
    """Set where the reply was opened with a tag for thoughts."""
    callable: frozenset[str] = frozenset()
    """The tools that the model may have called in words, where a call is demanded of it (P34)."""
    begun: bool = False
    _spoken: bool = False
    _signed: bool = False
    _held: str = ""
    _last: Literal["text"] | None = None
    _calls: dict[int, int] = field(default_factory=dict[int, int])
    _thinking: dict[int, ThinkingPart] = field(default_factory=dict[int, ThinkingPart])
    _told: set[int] = field(default_factory=set[int])

    def take(self, event: object) -> list[ModelEvent]:
        said = list(self._take(cast("ModelResponseStreamEvent", event)))
        self.begun = self.begun or bool(said)
        return said

    def _take(self, event: ModelResponseStreamEvent) -> list[ModelEvent]:
        match event:
            case PartStartEvent():
                return self._started(event.index, event.part)
            case PartDeltaEvent(index=index, delta=delta):
                return self._continued(index, delta)
            case _:
                return []

    def _started(self, index: int, part: object) -> list[ModelEvent]:
        match part:
            case TextPart():
                gap = "\n\n" if self._last == "text" and part.content else ""
                said = self._text(gap + part.content, part.provider_details)
                return [*self._summaries(before=index), *said]
            case ThinkingPart():
                return self._thought(index, part)
            case ToolCallPart():
                self._last = None
                opening = CallDelta(
                    index=self._calls.setdefault(index, len(self._calls)),
                    # Google's library makes up ids that are longer than we keep (P33).
                    id=_call_id() if self.wire == "google" else part.tool_call_id,
                    name=part.tool_name,
                    arguments=_arguments(part.args),
                )
                signed = self._text("", part.provider_details)
                return [*self._summaries(before=index), *signed, opening]
            case _:
                # Only the tools of ours are offered, so nothing else is ever called.
                return []

    def _continued(self, index: int, delta: object) -> list[ModelEvent]:
        match delta:
            case TextPartDelta():
                details = delta.provider_details
                return self._text(
                    delta.content_delta, details if isinstance(details, Mapping) else None
                )
            case ThinkingPartDelta():
                return self._more_thought(index, delta)
            case ToolCallPartDelta(args_delta=args) if args:
                return [CallDelta(index=self._calls[index], arguments=_arguments(args))]
            case _:
                return []

    def _text(self, text: str, details: Mapping[str, object] | None) -> list[ModelEvent]:
        """Return text, with the first signature that Google put on it or on a call (10.4)."""
        signature = details.get("thought_signature") if details and not self._signed else None
        signed = str(signature) if signature and self.wire == "google" else None
        self._signed = self._signed or signed is not None
        self._spoken = self._spoken or bool(text)
        if text:
            self._last = "text"
        if self.opened is not None:
            return self.opened.read(text)
        if self.callable and may_be_call(self._held + text):
            self._held += text
            text = ""
        elif self._held:
            text, self._held = self._held + text, ""
        return [TextDelta(text=text, signature=signed)] if text or signed else []

    def _thought(self, index: int, part: ThinkingPart) -> list[ModelEvent]:
        self._last = None
        before = self._thinking.get(index - 1)
        self._thinking[index] = part
        if self.wire == "responses":
            follows = before is not None and before.id == part.id
            told = [] if follows else self._summaries(before=index)
            return [*told, *self._summing_up(index, part.content)]
        if part.id == REDACTED:
            return [ReasoningHidden(state="redacted", data=part.signature)]
        return self._thinking_aloud(part.content, part.signature or None, whole=part)

    def _more_thought(self, index: int, delta: ThinkingPartDelta) -> list[ModelEvent]:
        whole = self._thinking[index] = delta.apply(self._thinking[index])
        text, signature = delta.content_delta or "", delta.signature_delta or None
        if self.wire == "responses":
            return self._summing_up(index, text)
        return self._thinking_aloud(text, signature, whole=whole)

    def _summing_up(self, index: int, text: str) -> list[ModelEvent]:
        """Return a piece of a summary, after a blank line where it begins a later part."""
        part, before = self._thinking[index], self._thinking.get(index - 1)
        later = before is not None and before.id == part.id and bool(before.content)
        gap = "\n\n" if later and part.content == text else ""
        return [SummaryDelta(text=gap + text)] if text else []

    def _thinking_aloud(
        self, text: str, signature: str | None, *, whole: ThinkingPart
    ) -> list[ModelEvent]:
        if signature and not whole.content:
            # It was thought, and signed, and is not told.
            return [ReasoningHidden(state="omitted", data=signature)]
        return [ReasoningDelta(text=text, signature=signature)] if text or signature else []

    def _summaries(self, *, before: int | None = None) -> list[ModelEvent]:
        """Return the reasoning items that are whole, each with all parts of its summary."""
        if self.wire != "responses":
            return []
        items: dict[str, list[ThinkingPart]] = {}
        for index, part in sorted(self._thinking.items()):
            if index not in self._told and (before is None or index < before):
                self._told.add(index)
                items.setdefault(part.id or str(index), []).append(part)
        return [
            ReasoningSummary(
                id=item,
                summary=tuple(part.content for part in parts if part.content),
                encrypted=next((part.signature for part in parts if part.signature), None),
            )
            for item, parts in items.items()
        ]

    def _released(self) -> list[ModelEvent]:
        """Return what was held back: the call that it says, or the words that it is."""
        held, self._held = self._held, ""
        call = None if self._calls else spoken_call(held, names=self.callable)
        if call is None:
            return [TextDelta(text=held)] if held else []
        self._calls[-1] = 0
        name, arguments = call
        return [CallDelta(index=0, id=_call_id(), name=name, arguments=arguments)]

    def closed(self, stream: StreamedResponse, *, origin: Origin) -> list[ModelEvent]:
        """Return the end of the reply. Raises unless the provider said that it is whole."""
        reason = _REASONS.get(stream.finish_reason or "")
        if stream.finish_reason == "error":
            raise ModelError(
                f"{origin.name} gave its reply up; ask again.",
                provider=origin.name,
                is_byok=origin.is_byok,
                http_status=500,
            )
        if reason is None:
            raise ModelReplyCut(
                f"The reply of {origin.name} ended without a finish reason.", provider=origin.name
            )
        events: list[ModelEvent] = self._summaries()
        events += self.opened.flush() if self.opened else []
        events += self._released()
        events.append(UsageReported(usage=_usage(stream.usage, wire=self.wire)))
        if self._calls and reason == "stop":
            reason = "tool_calls"
        spoken = self._spoken or any(part.content.strip() for part in self._thinking.values())
        if not self._calls and not spoken and reason in {"stop", "tool_calls"}:
            raise ModelReplyEmpty(provider=origin.name, passing=self.wire == "google")
        return [*events, Finished(reason=reason)]


def _call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _arguments(args: object) -> str:
    if args is None:
        return ""
    return args if isinstance(args, str) else orjson.dumps(args).decode()


def _usage(usage: RequestUsage, *, wire: Wire) -> Usage:
    """Return the counts; input includes what came from the cache or was written to it.

    The library takes a count of nought for one that was not reported, except in the details.
    """
    details = usage.details
    unsaid = 0 if any("cache" in name for name in details) else None
    unread = 0 if wire in {"responses", "google"} else unsaid
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        cached_input_tokens=usage.cache_read_tokens or unread,
        cache_write_tokens=usage.cache_write_tokens or unsaid,
        reasoning_tokens=details.get("reasoning_tokens") or details.get("thinking_tokens"),
    )
