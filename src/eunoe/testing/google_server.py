"""A scripted server that speaks Gemini's wire: generateContent, streamed or whole, and models.

Text after THINK becomes a thought part; where the model was allowed to think, the first call, or
else the text, carries a thought signature.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

import orjson

from eunoe.testing.chat_wire import pieces
from eunoe.testing.http_server import Request
from eunoe.testing.provider_server import Exchange, ProviderServer, Wire, last_said
from eunoe.testing.script import Json, Plan, plan

SIGNATURE: Final = "c2VlbiBieSBHb29nbGU="
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_STREAMED: Final = ":streamGenerateContent"
_WHOLE: Final = ":generateContent"


def refusal(status: int, message: str) -> Json:
    named = _STATUSES.get(status, "INTERNAL")
    return {"error": {"code": status, "message": message, "status": named}}


def _streams(request: Request, wanted: Json) -> bool | None:
    if request.method != "POST" or "contents" not in wanted:
        return None
    is_reply = request.path.endswith((_STREAMED, _WHOLE))
    return request.path.endswith(_STREAMED) if is_reply else None


def _thinks(wanted: Json) -> bool:
    generation: Json = wanted.get("generationConfig") or {}
    thinking: Json = generation.get("thinkingConfig") or {}
    # Both spellings are valid JSON of a protocol buffer, and Google's library writes both.
    return bool(thinking.get("includeThoughts") or thinking.get("include_thoughts"))


def _planned(wanted: Json) -> Plan:
    said, tool_turns = last_said(cast("Sequence[Json]", wanted["contents"]), content="parts")
    declared: list[Json] = [
        tool for group in wanted.get("tools") or () for tool in group["functionDeclarations"]
    ]
    schemas: dict[str, Json] = {
        tool["name"]: tool.get("parametersJsonSchema") or tool.get("parameters") or {}
        for tool in declared
    }
    config: Json = wanted.get("toolConfig") or {}
    asked: Json = config.get("functionCallingConfig") or {}
    allowed: list[str] = asked.get("allowedFunctionNames") or []
    choice: str | None = {"ANY": "required", "NONE": "none"}.get(str(asked.get("mode")))
    if choice == "required" and len(allowed) == 1:
        choice = allowed[0]
    planned = plan(said=said, tool_turns=tool_turns, tools=schemas, choice=choice)
    return planned if _thinks(wanted) else replace(planned, thinking="")


def _stable(wanted: Json) -> object:
    return [wanted.get("systemInstruction"), wanted.get("tools")]


def _parts(exchange: Exchange) -> list[Json]:
    planned = exchange.plan
    spoken: list[Json] = [{"text": piece} for piece in pieces(planned.text)]
    spoken += [
        {"functionCall": {"name": call.name, "args": orjson.loads(call.arguments)}}
        for call in planned.calls
    ]
    if spoken and _thinks(exchange.wanted):
        signed = 0 if planned.calls else -1
        spoken[signed] = spoken[signed] | {"thoughtSignature": SIGNATURE}
    return [*({"text": p, "thought": True} for p in pieces(planned.thinking)), *spoken]


def _reply(exchange: Exchange, parts: Sequence[Json], *, finish: str | None = None) -> Json:
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "scripted", "responseId": "scripted"}


def _usage(exchange: Exchange) -> Json:
    prompt = exchange.fresh_tokens + exchange.stable_tokens
    thought = len(exchange.plan.thinking.split())
    said = exchange.said_tokens - thought
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": exchange.stable_tokens if exchange.known else 0,
        "candidatesTokenCount": said,
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt + said + thought,
    }


def _event(value: Json) -> bytes:
    return b"data: %b\r\n\r\n" % orjson.dumps(value)


def _content(exchange: Exchange) -> list[bytes]:
    return [_event(_reply(exchange, [part])) for part in _parts(exchange)]


def _closing(exchange: Exchange) -> bytes:
    end = _reply(exchange, [{"text": ""}], finish="STOP")
    return _event(end | {"usageMetadata": _usage(exchange)})


def _whole(exchange: Exchange) -> Json:
    return _reply(exchange, _parts(exchange), finish="STOP") | {"usageMetadata": _usage(exchange)}


def _models(names: Sequence[str]) -> Json:
    methods = ["generateContent"]
    return {
        "models": [
            {"name": f"models/{name}", "supportedGenerationMethods": methods} for name in names
        ]
    }


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


class GoogleServer(ProviderServer):
    def __init__(self, *, models: Sequence[str] = ("gemini-2.5-flash",)) -> None:
        super().__init__(_WIRE, models=models)
