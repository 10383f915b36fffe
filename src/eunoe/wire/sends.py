"""What a caller sends to make an agent run, and how it becomes a submission's parts (api 8.1, 8.2).

Every field is honoured, refused with a sentence, or one of those that the API
declares as accepted and ignored (G-26): `enable_thinking`, `batch_item_id`,
`top_logprobs` without `return_logprobs`, `poll_interval`.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, Tag, field_validator, model_validator

from eunoe.domain.inputs import Answers, InputMessage
from eunoe.domain.messages import Json
from eunoe.domain.runs import DEFAULT_MAX_STEPS, RunOptions
from eunoe.domain.skills import Skill
from eunoe.domain.tokens import TokensWanted
from eunoe.wire.approvals import (
    ApprovalCreate,
    ClientTool,
    ToolReturnCreate,
    answers_of,
    client_tools,
)
from eunoe.wire.content import SENDABLE, Content, FetchImage, parts_of
from eunoe.wire.messages import MessageType
from eunoe.wire.shape import Shape, told_apart

Role: TypeAlias = Literal["user", "system", "assistant"]

_STEP_CEILING: Final = 100_000
_MOST_LIKELY: Final = 20
_NO_TOKENS: Final = (
    "return_logprobs and return_token_ids need a whole answer; leave them out of this request."
)


def _web_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        found = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        found = False
    if not found:
        raise ValueError("A callback goes to an http or https URL.")
    return url


CallbackUrl: TypeAlias = Annotated[str, Field(max_length=2_083), AfterValidator(_web_url)]
"""Where to tell of an end; that it is no private address is seen when it is called."""


def _check_sendable(content: Content, *, role: Role) -> None:
    if isinstance(content, str):
        return
    foreign = sorted({part.type for part in content} - SENDABLE[role])
    if foreign:
        raise ValueError(
            f"A {role} message holds parts of type {', '.join(sorted(SENDABLE[role]))}, "
            f"not {', '.join(foreign)}."
        )


class MessageCreate(Shape):
    type: Literal["message"] | None = "message"
    role: Role
    content: Content
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    batch_item_id: str | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        _check_sendable(self.content, role=self.role)
        return self


def _untyped(item: Json) -> str:
    """Return the kind of an item without `type` (api 8.1)."""
    answers = item.get("approval_request_id") is not None or item.get("approve") is not None
    return "approval" if answers else "message"


Item: TypeAlias = Annotated[
    Annotated[MessageCreate, Tag("message")]
    | Annotated[ApprovalCreate, Tag("approval")]
    | Annotated[ToolReturnCreate, Tag("tool_return")],
    told_apart(_untyped),
]


class ClientSkill(Shape):
    name: str
    description: str
    location: str

    def skill(self) -> Skill:
        return self.made(Skill)


class LettaRequest(Shape):
    """What every send has in common."""

    messages: Annotated[list[Item], Field(min_length=1)] | None = None
    input: Content | None = None
    max_steps: int = Field(default=DEFAULT_MAX_STEPS, ge=1, le=_STEP_CEILING)
    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[MessageType] | None = None
    include_compaction_messages: bool = False
    enable_thinking: str | bool = "true"
    client_tools: list[ClientTool] | None = None
    client_skills: list[ClientSkill] | None = None
    override_model: str | None = None
    override_system: str | None = Field(
        default=None, validation_alias=AliasChoices("override_system", "system")
    )
    return_logprobs: bool = False
    top_logprobs: int | None = None
    return_token_ids: bool = False

    @model_validator(mode="after")
    def _check_one_input(self) -> Self:
        if (self.messages is None) == (self.input is None):
            raise ValueError("Give either messages or input, one of the two.")
        later = (self.messages or [])[1:]
        if any(not isinstance(item, MessageCreate) for item in later):
            raise ValueError("An approval or tool return must be the first of the messages.")
        return self

    @field_validator("input")
    @classmethod
    def _check_parts(cls, given: Content | None) -> Content | None:
        _check_sendable(given or "", role="user")
        return given

    @property
    def is_answered_whole(self) -> bool:
        return False

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if (self.return_logprobs or self.return_token_ids) and not self.is_answered_whole:
            raise ValueError(_NO_TOKENS)
        return self


class LettaStreamingRequest(LettaRequest):
    """A send whose answer may be a stream; `streaming` says whether it is."""

    streaming: bool = False
    stream_tokens: bool = False
    include_pings: bool = True
    background: bool = False


class AgentMessageRequest(LettaStreamingRequest):
    """A send to an agent: blocking by default, and then without streaming options."""

    @property
    def is_answered_whole(self) -> bool:
        return not self.streaming

    @model_validator(mode="after")
    def _check_stream_options(self) -> Self:
        if self.streaming:
            return self
        wrong = [
            name
            for name, set_ in (
                ("stream_tokens=true", self.stream_tokens),
                ("include_pings=false", not self.include_pings),
                ("background=true", self.background),
            )
            if set_
        ]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} needs streaming=true.")
        return self


class ConversationMessageRequest(LettaStreamingRequest):
    """A send to a conversation: a stream by default; `agent_id` says whose `default` is."""

    streaming: bool = True
    agent_id: str | None = None

    @property
    def is_answered_whole(self) -> bool:
        return not self.streaming


class LettaAsyncRequest(LettaRequest):
    callback_url: CallbackUrl | None = None


class CancelAgentRunRequest(Shape):
    run_ids: list[str] | None = None


class RetrieveStreamRequest(Shape):
    """How to follow a run that is under way or over (streaming 4.6).

    The server pushes, so `poll_interval` and `batch_size` only have to be sensible.
    """

    starting_after: int = Field(default=0, ge=0, le=2**62)
    include_pings: bool | None = True
    poll_interval: float | None = Field(default=0.1, gt=0)
    batch_size: int | None = 100
    run_id: str | None = None
    otid: str | None = None
    agent_id: str | None = None


def options_of(
    request: LettaRequest, *, stream_tokens: bool, callback_url: str | None = None
) -> RunOptions:
    types = request.include_return_message_types
    return RunOptions(
        max_steps=request.max_steps,
        stream_tokens=stream_tokens,
        override_model=request.override_model,
        override_system=request.override_system,
        include_compaction=request.include_compaction_messages,
        return_types=None if types is None else tuple(types),
        use_assistant_message=request.use_assistant_message,
        assistant_message_tool_name=request.assistant_message_tool_name,
        assistant_message_tool_kwarg=request.assistant_message_tool_kwarg,
        callback_url=callback_url,
        client_tools=client_tools(request.client_tools),
        tokens=_tokens(request),
        client_skills=tuple(one.skill() for one in request.client_skills or ()),
    )


def _tokens(request: LettaRequest) -> TokensWanted | None:
    if not (request.return_logprobs or request.return_token_ids):
        return None
    top = min(max(request.top_logprobs or 0, 0), _MOST_LIKELY)
    return TokensWanted(top=top if request.return_logprobs else None, ids=request.return_token_ids)


def items_of(request: LettaRequest) -> Sequence[Item]:
    """Return what was sent; `input` stands for one user message."""
    if request.input is not None:
        return [MessageCreate(role="user", content=request.input)]
    return request.messages or []


def client_otids(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the otids that the client chose, in order: only they make a repeat known (G-5)."""
    return tuple(item.otid for item in items if item.otid)


async def inputs_of(items: Sequence[Item], *, fetch: FetchImage) -> tuple[InputMessage, ...]:
    """Return the messages to store, answers to calls aside.

    Raises `Invalid` for empty content and an image that cannot be had.
    """
    said = [item for item in items if isinstance(item, MessageCreate)]
    return tuple([await _input(item, fetch=fetch) for item in said])


async def given_answers(items: Sequence[Item], *, fetch: FetchImage) -> Answers | None:
    """Return the answers to calls that wait, which only the first item can be (streaming 1.4)."""
    first = items[0] if items else None
    if first is None or isinstance(first, MessageCreate):
        return None
    given = await answers_of(first, fetch=fetch)
    return given if given.otid else replace(given, otid=str(uuid.uuid4()))


async def _input(item: MessageCreate, *, fetch: FetchImage) -> InputMessage:
    return InputMessage(
        role=item.role,
        content=await parts_of(item.content, fetch=fetch),
        otid=item.otid or str(uuid.uuid4()),
        name=item.name,
        sender_id=item.sender_id,
        group_id=item.group_id,
    )
