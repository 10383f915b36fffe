"""Searching messages: the requests, and what was found in both of its forms (api 8.20)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain.heartbeats import kept_arguments
from eunoe.domain.messages import Json, Message, words_of
from eunoe.domain.passages import MessageHit
from eunoe.domain.recall import MessageQuery, SearchedRole
from eunoe.wire.approvals import stored_answers
from eunoe.wire.content import part_bodies
from eunoe.wire.messages import listed_lens, shown
from eunoe.wire.shape import Shape
from eunoe.wire.times import Moment, entity_time

SearchMode: TypeAlias = Literal["vector", "fts", "hybrid"]
MessageRole: TypeAlias = Literal["assistant", "user", "tool", "function", "system", "approval"]
_ROLES: Final[dict[str, SearchedRole]] = {
    "user": "user",
    "assistant": "assistant",
    "approval": "assistant",
    "tool": "tool",
    "function": "tool",
}
_TEXT_FIELDS: Final = {
    "system_message": "content",
    "user_message": "content",
    "assistant_message": "content",
    "reasoning_message": "reasoning",
}
_MOMENT: Final = timedelta(microseconds=1)


class _Search(Shape):
    search_mode: SearchMode = "hybrid"
    agent_id: str | None = None
    conversation_id: str | None = None
    start_date: Moment | None = None
    end_date: Moment | None = None
    limit: int = Field(default=50, ge=1, le=100)


class SearchAllMessagesRequest(_Search):
    query: str


class MessageSearchRequest(_Search):
    query: str | None = None
    roles: list[MessageRole] | None = None
    project_id: str | None = None
    template_id: str | None = None


class SearchedMessage(TypedDict, total=False):
    message_type: str
    content: str | list[Json]
    reasoning: str
    message_id: str
    agent_id: str
    conversation_id: str | None
    created_at: str


class MessageSearchResult(TypedDict):
    embedded_text: str
    message: Json
    fts_rank: int | None
    vector_rank: int | None
    rrf_score: float


def query_of(request: SearchAllMessagesRequest | MessageSearchRequest) -> MessageQuery | None:
    """Return the search, null for one that nothing can match. The start is exclusive."""
    roles: tuple[SearchedRole, ...] = ()
    if isinstance(request, MessageSearchRequest):
        wanted = request.roles or []
        roles = tuple(sorted({_ROLES[role] for role in wanted if role in _ROLES}))
        if wanted and not roles:
            return None
    start = request.start_date
    return request.made(
        MessageQuery,
        text=request.query or "",
        roles=roles,
        since=None if start is None else start + _MOMENT,
        until=request.end_date,
    )


def searched(message: Message) -> Iterator[SearchedMessage]:
    """Yield the parts of a found message that are text somebody said or thought."""
    for body in shown(message, listed_lens(agent_type=None)):
        field = _TEXT_FIELDS.get(body["message_type"])
        if field is not None:
            part: Json = {
                "message_type": body["message_type"],
                field: body[field],
                "message_id": message.id,
                "agent_id": message.agent_id,
                "conversation_id": message.conversation_id,
                "created_at": entity_time(message.created_at),
            }
            yield SearchedMessage(**part)


def result_of(hit: MessageHit, message: Message) -> MessageSearchResult:
    return {
        "embedded_text": hit.text,
        "message": stored_form(message),
        "fts_rank": hit.text_rank,
        "vector_rank": hit.vector_rank,
        "rrf_score": hit.score,
    }


def stored_form(message: Message) -> Json:
    """Return a message as it is kept rather than as it is shown."""
    return {
        "id": message.id,
        "role": message.role,
        "content": list(part_bodies(message.content)),
        "name": message.name,
        "agent_id": message.agent_id,
        "model": message.model,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": kept_arguments(call)},
            }
            for call in message.calls
        ]
        or None,
        "tool_call_id": message.returns[0].call_id if message.returns else None,
        "tool_returns": [
            {
                "tool_call_id": one.call_id,
                "status": "success" if one.ok else "error",
                "stdout": list(one.stdout) or None,
                "stderr": list(one.stderr) or None,
                "func_response": words_of(one.output),
            }
            for one in message.returns
        ],
        "step_id": message.step_id,
        "run_id": message.run_id,
        "otid": message.otid,
        "group_id": message.group_id,
        "sender_id": message.sender_id,
        "batch_item_id": None,
        "conversation_id": message.conversation_id,
        "is_err": message.is_err or None,
        **stored_answers(message),
        "created_by_id": None,
        "last_updated_by_id": None,
        "created_at": entity_time(message.created_at),
        "updated_at": None,
    }
