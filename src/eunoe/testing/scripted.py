"""A model and an embedder that live in the test's own process and answer as they are told."""

import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, Literal, TypeAlias

import orjson

from eunoe.domain.events import (
    CallDelta,
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    UsageReported,
)
from eunoe.domain.runs import Usage
from eunoe.engine.ports import ModelRequest
from eunoe.errors import ModelError
from eunoe.testing.vectors import vector

Events: TypeAlias = Sequence[ModelEvent]
ScriptedReply: TypeAlias = Events | ModelError | Callable[[ModelRequest], Events]
"""What a reply is made of: its events, the error it raises, or what makes it of the request."""

USAGE: Final = Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15)
_ids = itertools.count(1)


def say(text: str, *, thinking: str = "", usage: Usage = USAGE) -> Events:
    """Return a whole reply of text, a fragment a word."""
    return [
        *(ReasoningDelta(text=word) for word in _words(thinking)),
        *(TextDelta(text=word) for word in _words(text)),
        UsageReported(usage=usage),
        Finished(reason="stop"),
    ]


def call(
    *calls: tuple[str, dict[str, object]], text: str = "", thinking: str = "", usage: Usage = USAGE
) -> Events:
    """Return a whole reply of tool calls, each a name and its arguments; ids are new ones."""
    deltas: list[ModelEvent] = []
    for index, (name, arguments) in enumerate(calls):
        deltas.append(CallDelta(index=index, id=f"call-{next(_ids)}", name=name))
        deltas.append(CallDelta(index=index, arguments=orjson.dumps(arguments).decode()))
    return [
        *(ReasoningDelta(text=word) for word in _words(thinking)),
        *(TextDelta(text=word) for word in _words(text)),
        *deltas,
        UsageReported(usage=usage),
        Finished(reason="tool_calls"),
    ]


def cut(reply: Events, *, after: int) -> Events:
    """Return the first `after` events of a reply, which then has no proper end."""
    return reply[:after]


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [word for word in (first, *(f" {word}" for word in rest)) if word]


class ScriptedModel:
    """Gives its replies in turn, one a request, and keeps the requests that it was sent.

    `always` answers once the replies are used up; without it one request too many is an error.
    """

    def __init__(self, *replies: ScriptedReply, always: ScriptedReply | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self._replies = list(replies)
        self._always = always

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.requests.append(request)
        reply = self._replies.pop(0) if self._replies else self._always
        if reply is None:
            raise AssertionError(f"The script has no reply to request {len(self.requests)}.")
        if isinstance(reply, ModelError):
            raise reply
        for event in reply(request) if callable(reply) else reply:
            yield event


class ScriptedEmbedder:
    """Gives texts that share words vectors that are near each other; equal texts equal ones."""

    def __init__(self, *, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.embedded: list[str] = []

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[tuple[float, ...]]:
        self.embedded += texts
        return [tuple(vector(text, dimensions=self.dimensions)) for text in texts]
