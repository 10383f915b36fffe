"""A `ModelRequest` as pydantic-ai's messages and tools (P20-P22, P27, P31, 10.4)."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

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

from eunoe.domain.approvals import asks
from eunoe.domain.envelopes import is_heartbeat
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
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import packaged
from eunoe.engine.ports import ModelRequest
from eunoe.llm.google_schema import google_schema
from eunoe.llm.strict_schema import strict_schema
from eunoe.llm.tags import OPEN_TAG
from eunoe.llm.vendor import Wire

REDACTED: Final = "redacted_thinking"
_MOST_STRICT_TOOLS: Final = 15
_OPENING: Final = "The conversation goes on from here."
_SEEN: Final = "I have read the results."


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a conversation is written: for which wire, and what the model itself is like.

    `system` is the vendor's name, which signatures are bound to. `thinks`: it reasons natively in
    this request. `prefills`: its reply is opened with a tag for thoughts (P22).
    """

    wire: Wire
    system: str
    thinks: bool = False
    prefills: bool = False


def vendor_messages(request: ModelRequest, *, manner: Manner) -> list[ModelMessage]:
    """Return the conversation as pydantic-ai writes it."""
    written: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    for place, message in enumerate(request.messages):
        if message.role == "assistant" or asks(message):
            if not _has_user(written, asked):
                asked.append(UserPromptPart(content=_OPENING))
            said = _response(message, request.config, manner=manner)
            if said.parts:
                if asked:
                    written.append(VendorRequest(parts=asked))
                    asked = []
                written.append(said)
        if _joined(message, asked, request=request, manner=manner):
            continue
        parts = list(_request_parts(message, first=place == 0, wire=manner.wire))
        if manner.wire == "google" and _leaves_results(asked, parts):
            written += [VendorRequest(parts=asked), ModelResponse(parts=[TextPart(content=_SEEN)])]
            asked = []
        asked += parts
    if asked:
        written.append(VendorRequest(parts=asked))
    if manner.prefills:
        written.append(ModelResponse(parts=[TextPart(content=OPEN_TAG)]))
    return written


def _has_user(written: Sequence[ModelMessage], asked: Sequence[ModelRequestPart]) -> bool:
    """Return whether anything but the system text is there; a reply may not come first (P20)."""
    return bool(written) or any(not isinstance(part, SystemPromptPart) for part in asked)


def _joined(
    message: Message, asked: list[ModelRequestPart], *, request: ModelRequest, manner: Manner
) -> bool:
    """Return whether a heartbeat after a tool's result is dealt with already (P21).

    A loop without heartbeats drops one; for a model that reasons it goes into the result, since
    words of the user there would end the turn that its reasoning belongs to.
    """
    last = asked[-1] if asked else None
    if manner.wire not in {"anthropic", "bedrock"} or not isinstance(last, ToolReturnPart):
        return False
    if message.role != "user" or not is_heartbeat(text_of(message)):
        return False
    if not request.heartbeats:
        return True
    if manner.thinks:
        asked[-1] = replace(last, content=f"{last.content}\n\n{text_of(message)}")
    return manner.thinks


def _leaves_results(asked: list[ModelRequestPart], parts: list[ModelRequestPart]) -> bool:
    """Return whether words of the user would follow a tool's result at once (P31)."""
    follows = bool(asked) and isinstance(asked[-1], ToolReturnPart)
    return follows and bool(parts) and isinstance(parts[0], UserPromptPart)


def _request_parts(message: Message, *, first: bool, wire: Wire) -> Iterator[ModelRequestPart]:
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
                    # Responses knows no failed call; the envelope says it (FIX-52).
                    outcome="success" if result.ok or wire == "responses" else "failed",
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


def _response(message: Message, config: ModelConfig, *, manner: Manner) -> ModelResponse:
    """Return an assistant message; another model's reasoning is left out (R13)."""
    own = message.model in {config.model, config.handle}
    signature = _signature(message, own=own) if manner.wire == "google" else None
    parts: list[ModelResponsePart] = [
        written
        for part in message.content
        if own or isinstance(part, Text)
        for written in _parts(part, manner=manner)
    ]
    parts += [
        ToolCallPart(tool_name=call.name, args=call.arguments, tool_call_id=call.id)
        for call in message.calls
    ]
    return ModelResponse(
        parts=_signed(parts, signature, system=manner.system) if signature else parts,
        model_name=config.model if own else message.model,
        provider_name=manner.system if own else None,
        timestamp=message.created_at,
    )


def _signature(message: Message, *, own: bool) -> str | None:
    """Return Google's signature of a message that it made, or that nobody knows who made (10.4)."""
    if not own and message.model is not None:
        return None
    for part in message.content:
        if isinstance(part, Text) and part.signature:
            try:
                base64.b64decode(part.signature, validate=True)
            except ValueError:
                return None
            return part.signature
    return None


def _signed(
    parts: list[ModelResponsePart], signature: str, *, system: str
) -> list[ModelResponsePart]:
    """Return `parts` with the signature on the first call or, without one, on the text."""
    order = sorted(range(len(parts)), key=lambda at: (not isinstance(parts[at], ToolCallPart), at))
    for at in order:
        part = parts[at]
        if isinstance(part, ToolCallPart | TextPart):
            details = {"thought_signature": signature}
            parts[at] = replace(part, provider_name=system, provider_details=details)
            break
    return parts


def _parts(part: Part, *, manner: Manner) -> Iterator[ModelResponsePart]:
    system = manner.system
    match part:
        case Text(text=text):
            if text.strip():
                yield TextPart(content=text)
        case Reasoning(native=True, signature=signature) if signature or manner.wire == "google":
            yield ThinkingPart(content=part.text, signature=signature, provider_name=system)
        case RedactedReasoning(data=data):
            yield ThinkingPart(content="", id=REDACTED, signature=data, provider_name=system)
        case OmittedReasoning(signature=str(signature)):
            yield ThinkingPart(content="", signature=signature, provider_name=system)
        case SummarizedReasoning(id=item, encrypted=str(encrypted)):
            first, *rest = part.summary or ("",)
            yield ThinkingPart(content=first, id=item, signature=encrypted, provider_name=system)
            yield from (ThinkingPart(content=t, id=item, provider_name=system) for t in rest)
        case _:
            return


def vendor_parameters(request: ModelRequest, *, wire: Wire) -> ModelRequestParameters:
    """Return the tools on offer; a forced tool is the only one (FIX-19)."""
    forced = request.choice.name
    tools = [tool for tool in request.tools if forced in {None, tool.name}]
    schema = request.response_schema
    described = OutputObjectDefinition(json_schema=schema, name="reply") if schema else None
    strict = request.config.strict
    return ModelRequestParameters(
        function_tools=[
            _tool(tool, strict=strict and place < _MOST_STRICT_TOOLS, wire=wire)
            for place, tool in enumerate(tools)
        ],
        output_mode="native" if described else "text",
        output_object=described,
    )


def _tool(tool: ToolSchema, *, strict: bool, wire: Wire) -> ToolDefinition:
    parameters = tool.parameters
    if wire == "google":
        parameters = google_schema(parameters)
    if wire == "responses" and strict:
        # The library requires what is optional, and does not let the model leave it open (X53).
        whole = strict_schema(parameters)
        parameters, strict = whole or parameters, whole is not None
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=parameters,
        strict=strict,
    )
