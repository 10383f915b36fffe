"""A `ModelRequest` as pydantic-ai's messages, tools and settings (P19-P27, 10.4)."""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.messages import ModelRequest as VendorRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from eunoe.domain.messages import (
    Image,
    Message,
    OmittedReasoning,
    Part,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    text_of,
)
from eunoe.domain.models import ModelConfig
from eunoe.domain.window import packaged
from eunoe.engine.ports import ModelRequest
from eunoe.llm.vendor import Wire

Json: TypeAlias = dict[str, Any]

REDACTED: Final = "redacted_thinking"
_MIN_BUDGET: Final = 1_024
_DEFAULT_MAX_TOKENS: Final = 4_096
_MOST_STRICT_TOOLS: Final = 15
_ADAPTIVE: Final = re.compile(r"4[-.][6-9]|(opus|sonnet|haiku|fable|mythos)-[5-9]")
_OPENING: Final = "The conversation goes on from here."


def vendor_messages(request: ModelRequest, *, system: str) -> list[ModelMessage]:
    """Return the conversation; `system` is the vendor's name, which signatures are bound to."""
    written: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    for place, message in enumerate(request.messages):
        if message.role == "assistant" or (message.role == "approval" and message.calls):
            if not _has_user(written, asked):
                asked.append(UserPromptPart(content=_OPENING))
            said = _response(message, request.config, system=system)
            if said.parts:
                if asked:
                    written.append(VendorRequest(parts=asked))
                    asked = []
                written.append(said)
        asked += _request_parts(message, first=place == 0)
    if asked:
        written.append(VendorRequest(parts=asked))
    return written


def _has_user(written: Sequence[ModelMessage], asked: Sequence[ModelRequestPart]) -> bool:
    """Return whether anything but the system text is there; a reply may not come first (P20)."""
    return bool(written) or any(not isinstance(part, SystemPromptPart) for part in asked)


def _request_parts(message: Message, *, first: bool) -> Iterator[ModelRequestPart]:
    match message.role:
        case "system" if first:
            yield SystemPromptPart(content=text_of(message))
        case "system":
            yield UserPromptPart(content=f"[event]\n{text_of(message)}")
        case "user" | "summary":
            content = _content(message)
            if content:
                yield UserPromptPart(content=content)
        case "tool" | "assistant" | "approval":
            for result in message.returns:
                yield ToolReturnPart(
                    tool_name=result.name,
                    content=packaged(result),
                    tool_call_id=result.call_id,
                    outcome="success" if result.ok else "failed",
                )


def _content(message: Message) -> str | list[UserContent]:
    if not any(isinstance(part, Image) for part in message.content):
        return text_of(message)
    parts: list[UserContent] = []
    for part in message.content:
        match part:
            case Text(text=text) if text:
                parts.append(text)
            case Image():
                data = base64.b64decode(part.data)
                parts.append(BinaryContent(data=data, media_type=part.media_type))
            case _:
                continue
    return parts


def _response(message: Message, config: ModelConfig, *, system: str) -> ModelResponse:
    """Return an assistant message; another model's reasoning is left out (R13)."""
    own = message.model in {config.model, config.handle}
    parts: list[ModelResponsePart] = [
        written for part in message.content for written in _parts(part, system=system, own=own)
    ]
    parts += [
        ToolCallPart(tool_name=call.name, args=call.arguments, tool_call_id=call.id)
        for call in message.calls
    ]
    return ModelResponse(
        parts=parts,
        model_name=config.model if own else message.model,
        provider_name=system if own else None,
        timestamp=message.created_at,
    )


def _parts(part: Part, *, system: str, own: bool) -> Iterator[ModelResponsePart]:
    match part:
        case Text(text=text):
            if text.strip():
                yield TextPart(content=text)
        case Reasoning(native=True, signature=str(signature)) if own:
            yield ThinkingPart(content=part.text, signature=signature, provider_name=system)
        case RedactedReasoning(data=data) if own:
            yield ThinkingPart(content="", id=REDACTED, signature=data, provider_name=system)
        case SummarizedReasoning(encrypted=str(encrypted)) if own:
            first, *rest = part.summary or ("",)
            yield ThinkingPart(content=first, id=part.id, signature=encrypted, provider_name=system)
            for text in rest:
                yield ThinkingPart(content=text, id=part.id, provider_name=system)
        case Reasoning() | RedactedReasoning() | SummarizedReasoning():
            return
        case OmittedReasoning() | Image():
            return


def vendor_parameters(request: ModelRequest) -> ModelRequestParameters:
    """Return the tools on offer; a forced tool is the only one (FIX-19)."""
    forced = request.choice.name
    tools = [tool for tool in request.tools if forced in {None, tool.name}]
    strict = request.config.strict and len(tools) <= _MOST_STRICT_TOOLS
    schema = request.response_schema
    described = OutputObjectDefinition(json_schema=schema, name="reply") if schema else None
    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=tool.name,
                description=tool.description,
                parameters_json_schema=tool.parameters,
                strict=strict,
            )
            for tool in tools
        ],
        output_mode="native" if described else "text",
        output_object=described,
    )


def vendor_settings(request: ModelRequest, *, wire: Wire, silence_s: float) -> Json:
    """Return the settings of the request in the names of the vendor's library."""
    config = request.config
    settings: Json = {
        "timeout": silence_s,
        "max_retries": 0,
        "framing_announcement": "never",
    }
    if config.max_output_tokens:
        settings["max_tokens"] = config.max_output_tokens
    if config.temperature is not None and wire != "responses":
        settings["temperature"] = config.temperature
    if request.tools:
        settings["tool_choice"] = _choice(request)
        if wire in {"anthropic", "responses"}:
            settings["parallel_tool_calls"] = request.parallel
    match wire:
        case "anthropic":
            return settings | _anthropic(request, settings)
        case "google":
            return settings | _google(config)
        case "bedrock":
            return settings | _bedrock(request, settings)
        case "responses":
            return settings | _responses(request)


def _choice(request: ModelRequest) -> str | list[str]:
    forced = request.choice.name
    return request.choice.mode if forced is None else [forced]


def _thinking(request: ModelRequest) -> Json | None:
    """Return Anthropic's thinking parameter; a forced call and thinking exclude each other."""
    config = request.config
    if not config.enable_reasoner or request.choice.name is not None:
        return None
    if _ADAPTIVE.search(config.model):
        return {"type": "adaptive"}
    if config.max_reasoning_tokens <= 0:
        return None
    return {"type": "enabled", "budget_tokens": max(_MIN_BUDGET, config.max_reasoning_tokens)}


def _anthropic(request: ModelRequest, settings: Json) -> Json:
    limit = settings.get("max_tokens", _DEFAULT_MAX_TOKENS)
    own: Json = {
        "anthropic_cache_instructions": True,
        "anthropic_cache_tool_definitions": True,
        "anthropic_cache_messages": True,
        "max_tokens": limit,
    }
    if request.user is not None:
        own["anthropic_metadata"] = {"user_id": request.user}
    thinking = _thinking(request)
    if thinking is None:
        return own
    own["anthropic_thinking"] = thinking
    own["temperature"] = 1.0
    if thinking.get("budget_tokens", 0) >= limit:
        own["max_tokens"] = thinking["budget_tokens"] + limit
    if thinking["type"] == "adaptive" and request.config.reasoning_effort:
        own["anthropic_effort"] = request.config.reasoning_effort
    if settings.get("tool_choice") == "required":
        own["tool_choice"] = "auto"
    return own


def _bedrock(request: ModelRequest, settings: Json) -> Json:
    own: Json = {"bedrock_cache_instructions": True, "bedrock_cache_tool_definitions": True}
    thinking = _thinking(request)
    if thinking is None or "claude" not in request.config.model:
        return own
    own["bedrock_additional_model_requests_fields"] = {"thinking": thinking}
    own["temperature"] = 1.0
    if settings.get("tool_choice") == "required":
        own["tool_choice"] = "auto"
    return own


def _google(config: ModelConfig) -> Json:
    if not config.enable_reasoner:
        return {}
    thinking: Json = {"include_thoughts": True}
    if config.max_reasoning_tokens and "gemini-3" not in config.model:
        thinking["thinking_budget"] = config.max_reasoning_tokens
    return {"google_thinking_config": thinking}


def _responses(request: ModelRequest) -> Json:
    """Keep nothing at the provider, so that all it must know comes with each request (R11)."""
    own: Json = {"openai_store": False, "openai_reasoning_summary": "detailed"}
    effort = request.config.reasoning_effort
    if effort and effort != "none":
        own["openai_reasoning_effort"] = effort
    if request.user is not None:
        own["openai_user"] = request.user
    return own
