"""pydantic-ai's stream of parts as model events."""

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
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    ReasoningSummary,
    TextDelta,
    UsageReported,
)
from eunoe.domain.runs import Usage
from eunoe.errors import ModelReplyCut, ModelReplyEmpty
from eunoe.llm.faults import Origin
from eunoe.llm.vendor_request import REDACTED

_REASONS: Final[dict[str, Literal["stop", "tool_calls", "length", "content_filter"]]] = {
    "stop": "stop",
    "tool_call": "tool_calls",
    "length": "length",
    "content_filter": "content_filter",
}


@dataclass(slots=True, kw_only=True)
class VendorReply:
    """What has come of one reply. `summarised` where reasoning is handed on in whole items."""

    summarised: bool
    begun: bool = False
    _spoken: bool = False
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
                return [*self._summaries(before=index), *self._text(part.content)]
            case ThinkingPart():
                return self._thought(index, part)
            case ToolCallPart():
                opening = CallDelta(
                    index=self._calls.setdefault(index, len(self._calls)),
                    id=part.tool_call_id,
                    name=part.tool_name,
                    arguments=_arguments(part.args),
                )
                return [*self._summaries(before=index), opening]
            case _:
                # Only the tools of ours are offered, so nothing else is ever called.
                return []

    def _continued(self, index: int, delta: object) -> list[ModelEvent]:
        match delta:
            case TextPartDelta():
                return self._text(delta.content_delta)
            case ThinkingPartDelta():
                return self._more_thought(index, delta)
            case ToolCallPartDelta(args_delta=args) if args:
                return [CallDelta(index=self._calls[index], arguments=_arguments(args))]
            case _:
                return []

    def _text(self, text: str) -> list[ModelEvent]:
        self._spoken = self._spoken or bool(text)
        return [TextDelta(text=text)] if text else []

    def _thought(self, index: int, part: ThinkingPart) -> list[ModelEvent]:
        if self.summarised:
            self._thinking[index] = part
            return []
        if part.id == REDACTED:
            return [ReasoningHidden(state="redacted", data=part.signature)]
        if part.content or part.signature:
            return [ReasoningDelta(text=part.content, signature=part.signature or None)]
        return []

    def _more_thought(self, index: int, delta: ThinkingPartDelta) -> list[ModelEvent]:
        if self.summarised:
            self._thinking[index] = delta.apply(self._thinking[index])
            return []
        text, signature = delta.content_delta or "", delta.signature_delta or None
        return [ReasoningDelta(text=text, signature=signature)] if text or signature else []

    def _summaries(self, *, before: int | None = None) -> list[ModelEvent]:
        """Return the reasoning items that are whole, each with all parts of its summary."""
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

    def closed(self, stream: StreamedResponse, *, origin: Origin) -> list[ModelEvent]:
        """Return the end of the reply. Raises unless the provider said that it is whole."""
        reason = _REASONS.get(stream.finish_reason or "")
        if reason is None:
            raise ModelReplyCut(
                f"The reply of {origin.name} ended without a finish reason.",
                provider=origin.name,
            )
        events: list[ModelEvent] = self._summaries()
        events.append(UsageReported(usage=_usage(stream.usage)))
        if self._calls and reason == "stop":
            reason = "tool_calls"
        if not self._calls and not self._spoken and reason in {"stop", "tool_calls"}:
            raise ModelReplyEmpty(provider=origin.name)
        return [*events, Finished(reason=reason)]


def _arguments(args: object) -> str:
    if args is None:
        return ""
    return args if isinstance(args, str) else orjson.dumps(args).decode()


def _usage(usage: RequestUsage) -> Usage:
    """Return the counts; input includes what came from the cache or was written to it."""
    details = usage.details
    unsaid = 0 if any("cache" in name for name in details) else None
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        cached_input_tokens=usage.cache_read_tokens or unsaid,
        cache_write_tokens=usage.cache_write_tokens or unsaid,
        reasoning_tokens=details.get("reasoning_tokens") or details.get("thinking_tokens"),
    )
