"""A scripted server that speaks OpenAI's Responses: streamed or whole, and models.

Text after THINK becomes a reasoning item with a summary, one part for each half, and sealed
content; HIDE gives an item that is sealed and has no summary.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import orjson

from eunoe.testing.chat_wire import last_said, pieces
from eunoe.testing.http_server import Request
from eunoe.testing.provider_server import Exchange, ProviderServer, Wire
from eunoe.testing.script import Json, Plan, plan

SEALED: Final = "c2VhbGVkIGJ5IHRoZSBzY3JpcHQ="


def refusal(status: int, message: str) -> Json:
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 - HTTP's own border
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _streams(request: Request, wanted: Json) -> bool | None:
    is_reply = (request.method, request.path) == ("POST", "/v1/responses")
    return bool(wanted.get("stream")) if is_reply else None


def _planned(wanted: Json) -> Plan:
    said, tool_turns = last_said(cast("Sequence[Json]", wanted["input"]))
    offered: list[Json] = wanted.get("tools") or []
    choice: Any = wanted.get("tool_choice")
    if isinstance(choice, dict):
        named = cast("Json", choice)
        allowed: list[Json] = named.get("tools") or [named]
        choice = allowed[0]["name"] if len(allowed) == 1 else named.get("mode")
    tools: dict[str, Json] = {tool["name"]: tool.get("parameters") or {} for tool in offered}
    return plan(said=said, tool_turns=tool_turns, tools=tools, choice=choice)


def _stable(wanted: Json) -> object:
    opening = [i for i in wanted["input"] if i.get("role") in {"system", "developer"}]
    return [wanted.get("instructions"), opening, wanted.get("tools")]


def _items(exchange: Exchange) -> list[Json]:
    planned, number = exchange.plan, exchange.number
    items: list[Json] = []
    if planned.thinking or planned.hidden:
        words = planned.thinking.split()
        half = -(-len(words) // 2)
        halves = [" ".join(part) for part in (words[:half], words[half:]) if part]
        summary = [{"type": "summary_text", "text": text} for text in halves]
        reasoning = {"type": "reasoning", "id": f"rs_{number}", "summary": summary}
        items.append(reasoning | {"encrypted_content": planned.hidden or SEALED})
    if planned.text:
        spoken: Json = {"type": "output_text", "text": planned.text, "annotations": []}
        message = {"type": "message", "id": f"msg_{number}", "role": "assistant"}
        items.append(message | {"status": "completed", "content": [spoken]})
    for index, call in enumerate(planned.calls):
        name = {"type": "function_call", "id": f"fc_{number}_{index}", "name": call.name}
        made = {"call_id": f"call_{number}_{index}", "arguments": call.arguments}
        items.append(name | made | {"status": "completed"})
    return items


def _response(exchange: Exchange) -> Json:
    return {
        "id": f"resp_{exchange.number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": exchange.wanted["model"],
        "output": [],
        "status": "in_progress",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _whole(exchange: Exchange) -> Json:
    prompt = exchange.fresh_tokens + exchange.stable_tokens
    said, thought = exchange.said_tokens, len(exchange.plan.thinking.split())
    usage = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": exchange.stable_tokens if exchange.known else 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": prompt + said,
    }
    return _response(exchange) | {
        "status": "completed",
        "output": _items(exchange),
        "usage": usage,
    }


def _part_events(item: Json) -> tuple[Json, list[Json]]:
    """Return an item as it is when it opens, and the events that fill it."""
    match item["type"]:
        case "reasoning":
            bare: Json = {"summary": [], "encrypted_content": None}
            return item | bare, [e for n, p in enumerate(item["summary"]) for e in _summary(n, p)]
        case "message":
            spoken: Json = item["content"][0]
            at: Json = {"content_index": 0}
            part = at | {"part": spoken | {"text": ""}, "type": "response.content_part.added"}
            deltas: list[Json] = [
                at | {"delta": piece, "logprobs": [], "type": "response.output_text.delta"}
                for piece in pieces(spoken["text"])
            ]
            return item | {"content": []}, [part, *deltas]
        case _:
            kind = "response.function_call_arguments.delta"
            return item | {"arguments": ""}, [
                {"type": kind, "delta": piece} for piece in pieces(item["arguments"])
            ]


def _summary(number: int, part: Json) -> list[Json]:
    at = {"summary_index": number}
    opened = at | {"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}}
    kind = "response.reasoning_summary_text.delta"
    return [opened, *(at | {"type": kind, "delta": piece} for piece in pieces(part["text"]))]


def _events(exchange: Exchange) -> list[Json]:
    events: list[Json] = []
    for index, item in enumerate(_items(exchange)):
        opened, filling = _part_events(item)
        at = {"output_index": index, "item_id": item["id"]}
        place = {"output_index": index}
        added, done = "response.output_item.added", "response.output_item.done"
        events.append(place | {"type": added, "item": opened})
        events += [at | event for event in filling]
        events.append(place | {"type": done, "item": item})
    return events


def _event(value: Json, *, number: int) -> bytes:
    data = orjson.dumps(value | {"sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), data)


def _content(exchange: Exchange) -> list[bytes]:
    created = {"type": "response.created", "response": _response(exchange)}
    first, *rest = [_event(e, number=n) for n, e in enumerate(_events(exchange), 1)] or [b""]
    return [_event(created, number=0) + first, *rest]


def _closing(exchange: Exchange) -> bytes:
    completed = {"type": "response.completed", "response": _whole(exchange)}
    return _event(completed, number=len(_events(exchange)) + 1)


def _models(names: Sequence[str]) -> Json:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


_WIRE: Final = Wire(
    streams=_streams,
    planned=_planned,
    stable=_stable,
    content=_content,
    closing=_closing,
    whole=_whole,
    refusal=refusal,
    models=_models,
)


class ResponsesServer(ProviderServer):
    def __init__(self, *, models: Sequence[str] = ("gpt-5.1",)) -> None:
        super().__init__(_WIRE, models=models)
