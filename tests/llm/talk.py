"""Requests to send and replies to read, for the tests of the adapters."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from eunoe.domain.events import (
    CallDelta,
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    UsageReported,
)
from eunoe.domain.messages import Image, Message, Part, Role, Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Usage
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import Model, ModelRequest, ToolChoice
from eunoe.llm.chat import ChatModel
from eunoe.llm.connection import Timeouts, client
from eunoe.llm.faults import Origin
from eunoe.llm.retries import Retries
from eunoe.testing.http_server import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    Answerer,
    ConnectionCut,
    Request,
    chunk,
    response,
    serving,
)

QUICK = Retries(first_s=0.001, longest_s=0.002)
CONFIG = ModelConfig(
    handle="fake/scripted-1", model="scripted-1", provider_type="openai", provider_name="fake"
)
NOOP = ToolSchema(
    name="noop",
    description="Does nothing.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["a"],
    },
)
ECHO = ToolSchema(
    name="echo",
    description="Says it again.",
    parameters={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
)


def message(
    role: Role,
    text: str | Sequence[Part] = "",
    *,
    calls: Sequence[ToolCall] = (),
    returns: Sequence[ToolReturn] = (),
    model: str | None = None,
) -> Message:
    parts = (Text(text=text),) if isinstance(text, str) and text else text or ()
    return Message(
        id="message-1",
        role=role,
        agent_id="agent-1",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        content=tuple(part for part in parts if not isinstance(part, str)),
        calls=tuple(calls),
        returns=tuple(returns),
        model=model,
    )


def image(data: str = "aGk=") -> Image:
    return Image(media_type="image/png", data=data)


def asking(
    text: str = "hello",
    *,
    tools: Sequence[ToolSchema] = (),
    choice: ToolChoice | None = None,
    config: ModelConfig = CONFIG,
    history: Sequence[Message] = (),
    **more: Any,
) -> ModelRequest:
    return ModelRequest(
        config=config,
        messages=(message("system", "You are a test."), *history, message("user", text)),
        tools=tuple(tools),
        choice=choice or ToolChoice(),
        **more,
    )


async def said(model: Model, request: ModelRequest) -> list[ModelEvent]:
    return [event async for event in model.stream(request)]


def text_in(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def thought_in(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def calls_in(events: Sequence[ModelEvent]) -> list[tuple[str, str, str]]:
    """Return (id, name, arguments) of each call, checking that both come before the arguments."""
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, CallDelta):
            if event.index not in calls:
                assert event.id is not None
                assert event.name is not None
                calls[event.index] = [event.id, event.name, ""]
            calls[event.index][2] += event.arguments
    return [(call[0], call[1], call[2]) for _, call in sorted(calls.items())]


def usage_in(events: Sequence[ModelEvent]) -> Usage | None:
    reported = [event.usage for event in events if isinstance(event, UsageReported)]
    assert len(reported) <= 1
    return reported[0] if reported else None


def finish_of(events: Sequence[ModelEvent]) -> str:
    """Return the reason of the reply's end, which is its last event and the only one of its kind."""
    ends = [event for event in events if isinstance(event, Finished)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0].reason


@asynccontextmanager
async def chat_at(
    url: str,
    *,
    api_key: str | None = None,
    timeouts: Timeouts | None = None,
    retries: Retries = QUICK,
) -> AsyncGenerator[ChatModel]:
    """Give a model that talks to `url` through a client of its own."""
    timeouts = timeouts or Timeouts()
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    http = client(base_url=url, headers=headers, params={}, timeouts=timeouts)
    try:
        yield ChatModel(
            client=http,
            origin=Origin(name="fake", secrets=(api_key,) if api_key else ()),
            timeouts=timeouts,
            retries=retries,
        )
    finally:
        await http.aclose()


def event_stream(*payloads: object, ended: bool = True) -> bytes:
    """Return a response that streams `payloads`, bytes as they are and the rest as JSON."""
    written = [
        p if isinstance(p, bytes) else b"data: " + orjson.dumps(p) + b"\n\n" for p in payloads
    ]
    tail = b"data: [DONE]\n\n" if ended else b""
    return STREAM_HEAD + b"".join(chunk(part) for part in [*written, tail] if part) + STREAM_END


def delta(finish: str | None = None, **fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def fragment(index: int | None, **fields: object) -> dict[str, object]:
    """Return a chunk with one fragment of a tool call."""
    function = {k: fields.pop(k) for k in ("name", "arguments") if k in fields}
    place = {} if index is None else {"index": index}
    return delta(tool_calls=[{**place, **fields, "function": function}])


def answering(*answers: bytes) -> tuple[Answerer, list[Request]]:
    """Return who gives `answers` in turn, the last for ever, and the requests that came."""
    requests: list[Request] = []

    def answer(request: Request) -> Answer:
        requests.append(request)
        return answers[min(len(requests), len(answers)) - 1]

    return answer, requests


async def then_closed(data: bytes) -> AsyncIterator[bytes]:
    """Send `data` and close the connection, whatever `data` promised."""
    yield data
    raise ConnectionCut


def replying(*answers: bytes) -> AbstractAsyncContextManager[str]:
    return serving(answering(*answers)[0])


def refusing(
    status: int,
    body: bytes = b'{"error": {"message": "no"}}',
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> bytes:
    return response(status, body, content_type=content_type, headers=headers)


OK = event_stream(delta(content="fine"), delta("stop"))
WHOLE = response(200, b'{"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}')
