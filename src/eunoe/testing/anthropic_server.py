"""A scripted server that speaks Anthropic's wire: messages, streamed or whole, and models.

It follows the script language of `script`; text after THINK becomes a signed thinking block. A
prompt seen before counts as read from the cache.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, cast

import orjson

from eunoe.testing.chat_wire import pieces, text_of
from eunoe.testing.http_server import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    ConnectionCut,
    Request,
    chunk,
    json_response,
    response,
    serving,
)
from eunoe.testing.script import Json, Plan, plan, unpacked

SIGNATURE: Final = "c2lnbmVkIGJ5IHRoZSBzY3JpcHQ="
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_KEPT_REQUESTS: Final = 200


class AnthropicServer:
    """The state of one running server. `failures` are answered first, one a request."""

    def __init__(self, *, models: Sequence[str] = ("claude-haiku-4-5",)) -> None:
        self.models = tuple(models)
        self.stats: Counter[str] = Counter()
        self.requests: deque[Json] = deque(maxlen=_KEPT_REQUESTS)
        self.headers: deque[dict[str, str]] = deque(maxlen=_KEPT_REQUESTS)
        self.failures: deque[tuple[int, dict[str, str]]] = deque()
        self._cached: set[bytes] = set()

    def answer(self, request: Request) -> Answer:
        self.stats[request.path] += 1
        match request.method, request.path:
            case "POST", "/v1/messages":
                return self._messages(request)
            case "GET", "/v1/models":
                data = [{"type": "model", "id": name} for name in self.models]
                return json_response({"data": data, "has_more": False})
            case _:
                return _refused(404, f"no route {request.path}")

    def _messages(self, request: Request) -> Answer:
        wanted = cast("Json", orjson.loads(request.body))
        self.requests.append(wanted)
        self.headers.append(request.headers)
        if self.failures:
            status, headers = self.failures.popleft()
            return _refused(status, f"scripted failure {status}", headers=headers)
        planned = _planned(wanted)
        if planned.fail_status is not None:
            return _refused(planned.fail_status, f"scripted failure {planned.fail_status}")
        self.stats["replies"] += 1
        usage = self._usage(wanted)
        blocks = _blocks(planned, number=self.stats["replies"])
        if wanted.get("stream"):
            return _streamed(planned, wanted, blocks=blocks, usage=usage)
        whole = _message(wanted) | {
            "content": blocks,
            "stop_reason": _reason(planned),
            "usage": usage | {"output_tokens": _words(planned)},
        }
        return json_response(whole)

    def _usage(self, wanted: Json) -> Json:
        """Return the input's counts: what carries a cache mark is written once, then read."""
        prefix = orjson.dumps([wanted.get("system"), wanted.get("tools")])
        marked = b"cache_control" in prefix
        known = prefix in self._cached
        self._cached.add(prefix)
        size = len(prefix) // 4 if marked else 0
        return {
            "input_tokens": len(orjson.dumps(wanted["messages"])) // 4,
            "cache_creation_input_tokens": 0 if known else size,
            "cache_read_input_tokens": size if known else 0,
        }


def _refused(status: int, message: str, *, headers: dict[str, str] | None = None) -> bytes:
    kind = _KINDS.get(status, "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return response(status, orjson.dumps(body), headers=headers)


def _planned(wanted: Json) -> Plan:
    said, tool_turns = _last_said(cast("Sequence[Json]", wanted["messages"]))
    choice: Json = wanted.get("tool_choice") or {}
    forced = {"any": "required", "none": "none"}.get(choice.get("type", ""), choice.get("name"))
    offered: list[Json] = wanted.get("tools") or []
    tools: dict[str, Json] = {tool["name"]: tool.get("input_schema") or {} for tool in offered}
    planned = plan(said=said, tool_turns=tool_turns, tools=tools, choice=forced)
    thinking: Json = wanted.get("thinking") or {}
    return (
        planned
        if thinking.get("type") in {"enabled", "adaptive"}
        else replace(planned, thinking="")
    )


def _last_said(messages: Sequence[Json]) -> tuple[str, int]:
    """Return the last text of the user, and how many messages of tool results came after it."""
    turns = 0
    for message in reversed(messages):
        if message["role"] != "user":
            continue
        content = message["content"]
        text = text_of(content)
        if text:
            return unpacked(text), turns
        turns += 1
    return "", turns


def _blocks(planned: Plan, *, number: int) -> list[Json]:
    blocks: list[Json] = []
    if planned.thinking:
        thought = {"type": "thinking", "thinking": planned.thinking, "signature": SIGNATURE}
        blocks.append(thought)
    if planned.text:
        blocks.append({"type": "text", "text": planned.text})
    for index, call in enumerate(planned.calls):
        arguments: Any = orjson.loads(call.arguments)
        name = f"toolu_{number}_{index}"
        blocks.append({"type": "tool_use", "id": name, "name": call.name, "input": arguments})
    return blocks


def _reason(planned: Plan) -> str:
    return "tool_use" if planned.calls else "end_turn"


def _words(planned: Plan) -> int:
    return len(f"{planned.thinking} {planned.text}".split()) + 4 * len(planned.calls)


def _message(wanted: Json) -> Json:
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": wanted["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _event(value: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value))


def _block_events(index: int, block: Json) -> list[bytes]:
    """Return a block as it is streamed: an empty one, then its deltas, then its end."""
    empty: Json
    match block["type"]:
        case "thinking":
            empty = block | {"thinking": "", "signature": ""}
            deltas: list[Json] = [
                {"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            empty = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case _:
            empty = block | {"input": {}}
            written = orjson.dumps(block["input"]).decode()
            deltas = [
                {"type": "input_json_delta", "partial_json": piece} for piece in pieces(written)
            ]
    start: Json = {"type": "content_block_start", "index": index, "content_block": empty}
    stop: Json = {"type": "content_block_stop", "index": index}
    bodies = [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
    return [_event(start), *map(_event, bodies), _event(stop)]


async def _streamed(
    planned: Plan, wanted: Json, *, blocks: list[Json], usage: Json
) -> AsyncIterator[bytes]:
    opening = _message(wanted) | {"usage": usage | {"output_tokens": 1}}
    yield STREAM_HEAD + chunk(_event({"type": "message_start", "message": opening}))
    events = [event for index, block in enumerate(blocks) for event in _block_events(index, block)]
    for number, event in enumerate(events):
        if planned.fault is not None and number >= planned.fault_after:
            break
        await asyncio.sleep(planned.interval_s)
        yield chunk(event)
    if planned.fault == "hang":
        await asyncio.Event().wait()
    if planned.fault == "drop":
        raise ConnectionCut
    if planned.fault is None:
        delta = {"stop_reason": _reason(planned), "stop_sequence": None}
        counted = {"output_tokens": _words(planned)}
        yield chunk(_event({"type": "message_delta", "delta": delta, "usage": counted}))
        yield chunk(_event({"type": "message_stop"}))
    yield STREAM_END


@asynccontextmanager
async def scripted_anthropic_server(
    server: AnthropicServer | None = None,
) -> AsyncGenerator[str]:
    """Run a server in this event loop and yield its base URL, `/v1` included."""
    async with serving((server or AnthropicServer()).answer) as url:
        yield f"{url}/v1"
