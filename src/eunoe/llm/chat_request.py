"""A `ModelRequest` as the body of a chat completions request."""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, assert_never

import orjson

from eunoe.domain.messages import Image, Json, Message, Reasoning, Text, ToolCall, text_of
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import packaged
from eunoe.engine.ports import ModelRequest
from eunoe.llm.dialects import Dialect, dialect_of, genuine_extras, is_genuine, is_openai_reasoner
from eunoe.llm.strict_schema import strict_schema
from eunoe.llm.transcripts import Transcripts

_NAME: Final = re.compile(r"[^\s<|\\/>]{1,64}")
_SHORT_ID: Final = re.compile(r"[A-Za-z0-9]{9}")
_UNSEEN: Final = "[An image is here, which this model cannot see.]"
_REPLY_NAME: Final = "reply"
_TELLING_IDS: Final = frozenset({"vllm", "sglang"})


def chat_body(
    request: ModelRequest, *, base_url: str, transcripts: Transcripts | None = None
) -> Json:
    """Return the body of the request, in the dialect of its provider (P12-P18).

    `messages` is already JSON text in it, taken over from the list's last request as
    far as `transcripts` has it.
    """
    config = request.config
    dialect = dialect_of(
        config.provider_type,
        base_url=base_url,
        model=config.model,
        provider_name=config.provider_name,
    )
    reasoner = dialect.openai_reasoners and is_openai_reasoner(config.model)
    body: Json = {
        "model": config.model,
        "messages": orjson.Fragment(
            _messages(request, dialect, transcripts or Transcripts(), reasoner=reasoner)
        ),
        "stream": request.stream,
    }
    if request.stream and dialect.stream_usage:
        body["stream_options"] = {"include_usage": True}
    body |= _sampling(config, reasoner=reasoner)
    body |= _reasoning(config, dialect, reasoner=reasoner)
    body |= _tools(request, dialect, reasoner=reasoner)
    body |= _format(request, dialect)
    body |= _tokens(request)
    if request.user is not None and dialect.user:
        body["user"] = request.user
    if is_genuine(config.provider_type, base_url=base_url):
        body |= genuine_extras(config.model)
    if dialect.stops and "glm" in config.model.lower():
        body["stop"] = list(dialect.stops)
    return body | dialect.extra


def hides_reasoning(config: ModelConfig) -> bool:
    """Return whether the model reasons without a word of it in chat completions."""
    reasons = config.reasoning_effort != "none" and is_openai_reasoner(config.model)
    return reasons and config.provider_type in {"openai", "azure"}


def _sampling(config: ModelConfig, *, reasoner: bool) -> Json:
    limit = config.max_output_tokens
    if reasoner:
        return {"max_completion_tokens": limit} if limit else {}
    sampling: Json = {"max_tokens": limit} if limit else {}
    if config.temperature is not None and "deepseek-reasoner" not in config.model:
        sampling["temperature"] = config.temperature
    return sampling


def _tokens(request: ModelRequest) -> Json:
    """Return what asks for the tokens of the reply; only some servers know their ids."""
    wanted = request.tokens
    if wanted is None:
        return {}
    ids = wanted.ids and request.config.provider_type in _TELLING_IDS
    asked: Json = {"return_token_ids": True} if ids else {}
    if wanted.top is not None or ids:
        asked["logprobs"] = True
    return asked | ({"top_logprobs": wanted.top} if wanted.top else {})


def _reasoning(config: ModelConfig, dialect: Dialect, *, reasoner: bool) -> Json:
    effort = config.reasoning_effort
    match dialect.effort:
        case "reasoning":
            wanted: Json = {"effort": effort} if effort else {}
            if config.max_reasoning_tokens:
                wanted = {"max_tokens": config.max_reasoning_tokens}
            return {"reasoning": wanted | {"enabled": True}} if config.enable_reasoner else {}
        case "thinking":
            switch: Json = {"type": "enabled" if config.enable_reasoner else "disabled"}
            given: Json = config.settings.get("thinking") or {}
            clears = {"clear_thinking": bool(given.get("clear_thinking"))}
            return {"thinking": switch | (clears if dialect.clears else {})}
        case "reasoning_effort" if effort and (reasoner or config.enable_reasoner):
            verbosity = config.settings.get("verbosity") if reasoner else None
            return {"reasoning_effort": effort} | ({"verbosity": verbosity} if verbosity else {})
        case _:
            return {}


def _format(request: ModelRequest, dialect: Dialect) -> Json:
    schema = request.response_schema
    if schema is None:
        given = request.config.response_format
        return {"response_format": given} if given else {}
    described: Json = {"name": _REPLY_NAME, "schema": schema}
    strict = strict_schema(schema) if request.config.strict and dialect.strict else None
    if strict is not None:
        described |= {"schema": strict, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _tools(request: ModelRequest, dialect: Dialect, *, reasoner: bool) -> Json:
    """Return the tools and how they may be chosen; nothing of it where there are none (P12)."""
    tools: Sequence[ToolSchema] = request.tools
    forced = request.choice.name
    if forced is not None and not dialect.keeps_tools:
        # With a single tool on offer "any tool" forces it too, and a server that takes no notice
        # of the choice can call no other (FIX-19).
        tools = [tool for tool in tools if tool.name == forced]
    if not tools:
        return {}
    strict = request.config.strict and dialect.strict
    body: Json = {
        "tools": [_tool(tool, strict=strict) for tool in tools],
        "tool_choice": _choice(request, dialect),
    }
    if not reasoner:
        body["parallel_tool_calls"] = request.parallel
    return body


def _tool(tool: ToolSchema, *, strict: bool) -> Json:
    parameters = strict_schema(tool.parameters) if strict else None
    function: Json = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if parameters is None else parameters,
    }
    if parameters is not None:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(request: ModelRequest, dialect: Dialect) -> str | Json:
    name, mode = request.choice.name, request.choice.mode
    if name is not None:
        named: Json = {"type": "function", "function": {"name": name}}
        return named if dialect.named_choice else "required"
    if mode == "required" and not dialect.required_choice:
        return "auto"
    return mode


def _messages(
    request: ModelRequest, dialect: Dialect, transcripts: Transcripts, *, reasoner: bool
) -> bytes:
    messages = request.messages
    # DeepSeek's reasoner wants its reasoning back inside a turn and refuses it after one.
    over = request.config.provider_type == "deepseek" and messages[-1].role == "user"
    replay = None if over else dialect.replay
    own = frozenset({request.config.model, request.config.handle})

    def write(message: Message) -> list[Json]:
        match message.role:
            case "system":
                role = "developer" if reasoner else "system"
                return [{"role": role, "content": text_of(message)}]
            case "user" | "summary":
                return [_user(message, dialect)]
            case "assistant" | "tool" | "approval":
                spoken = message.role == "assistant" or message.calls
                again = replay if message.model in own else None
                said = [_assistant(message, dialect, again)] if spoken else []
                return [*said, *_returns(message, dialect)]
            case _:
                assert_never(message.role)

    style = (dialect, reasoner, replay, own)
    return transcripts.array(messages, list_id=request.list_id, style=style, write=write)


def _user(message: Message, dialect: Dialect) -> Json:
    written: Json = {"role": "user", "content": _content(message, dialect)}
    if message.name and _NAME.fullmatch(message.name):
        written["name"] = message.name
    return written


def _content(message: Message, dialect: Dialect) -> str | list[Json]:
    """Return the text, or where there are images, the parts with images as data URLs (P18)."""
    images = sum(isinstance(part, Image) for part in message.content)
    if not images:
        return text_of(message)
    if not dialect.images:
        return "\n\n".join(filter(None, (text_of(message), *[_UNSEEN] * images)))
    parts: list[Json] = []
    for part in message.content:
        match part:
            case Text():
                parts.append({"type": "text", "text": part.text})
            case Image():
                image: Json = {"url": f"data:{part.media_type};base64,{part.data}"}
                if part.detail:
                    image["detail"] = part.detail
                parts.append({"type": "image_url", "image_url": image})
            case _:
                continue
    return parts


def _assistant(message: Message, dialect: Dialect, replay: str | None) -> Json:
    text = text_of(message)
    written: Json = {"role": "assistant", "content": text or dialect.empty_text}
    if message.calls:
        written["tool_calls"] = [_call(call, dialect) for call in message.calls]
    thought = [part for part in message.content if isinstance(part, Reasoning) and part.native]
    if replay is not None and thought:
        written[replay] = "".join(part.text for part in thought)
        if thought[-1].signature:
            written[f"{replay}_signature"] = thought[-1].signature
    return written


def _call(call: ToolCall, dialect: Dialect) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _id(call.id, dialect), "type": "function", "function": function}


def _returns(message: Message, dialect: Dialect) -> Iterator[Json]:
    for result in message.returns:
        yield {
            "role": "tool",
            "tool_call_id": _id(result.call_id, dialect),
            "content": packaged(result),
        }


def _id(call_id: str, dialect: Dialect) -> str:
    """Return the id as the provider takes it; the same id always becomes the same (FIX-72)."""
    if not dialect.short_ids or _SHORT_ID.fullmatch(call_id):
        return call_id
    return blake2b(call_id.encode(), digest_size=5).hexdigest()[:9]
