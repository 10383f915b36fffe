"""The helper functions that servers of this API shared, to import by their own names.

They are for programs written against those helpers; `docs/howto/seed-functions.md` says
what each does and where it differs. The voice route reads its
requests by them, and nothing else in the server.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import structlog
from starlette.exceptions import HTTPException

from eunoe.domain.agent_states import AgentState
from eunoe.errors import Invalid
from eunoe.http.seed_stream import (
    SENTRY_ENABLED,
    SSE_ARTIFICIAL_DELAY,
    SSE_FINISH_MSG,
    SSE_PREFIX,
    SSE_SUFFIX,
    capture_sentry_exception,
    sse_async_generator,
    sse_formatter,
)
from eunoe.service.images import ImageFetcher
from eunoe.wire.completions import listed
from eunoe.wire.content import FetchImage, TextContent
from eunoe.wire.seed import (
    DEFAULT_MESSAGE_TOOL,
    DEFAULT_MESSAGE_TOOL_KWARG,
    REQUEST_HEARTBEAT_PARAM,
    approval_response,
    create_approval_request_message_from_llm_response,
    create_assistant_messages_from_openai_response,
    create_heartbeat_system_message,
    create_letta_messages_from_llm_response,
    input_records,
)
from eunoe.wire.seed_history import convert_in_context_letta_messages_to_openai
from eunoe.wire.seed_packaging import (
    get_heartbeat,
    get_login_event,
    package_function_response,
    package_system_message,
    package_user_message,
    unpack_message,
)
from eunoe.wire.seed_records import Record, stored
from eunoe.wire.sends import ApprovalCreate, MessageCreate

__all__ = [
    "DEFAULT_MESSAGE_TOOL", "DEFAULT_MESSAGE_TOOL_KWARG", "REQUEST_HEARTBEAT_PARAM",
    "SENTRY_ENABLED", "SSE_ARTIFICIAL_DELAY", "SSE_FINISH_MSG", "SSE_PREFIX", "SSE_SUFFIX",
    "Record", "capture_sentry_exception", "convert_in_context_letta_messages_to_openai",
    "create_approval_request_message_from_llm_response",
    "create_approval_response_message_from_input",
    "create_assistant_messages_from_openai_response", "create_heartbeat_system_message",
    "create_input_messages", "create_letta_messages_from_llm_response", "get_heartbeat",
    "get_login_event", "get_user_message_from_chat_completions_request",
    "package_function_response", "package_system_message", "package_user_message",
    "sse_async_generator", "sse_formatter", "stored", "unpack_message",
]  # fmt: skip

_BAD_REQUEST: Final = 400

_log = structlog.get_logger("eunoe.seed")


async def create_input_messages(
    input_messages: Sequence[MessageCreate],
    agent_id: str,
    timezone: str | None,
    run_id: str | None,
    actor: object = None,
    *,
    fetch: FetchImage | None = None,
) -> list[Record]:
    """Return each input as a message, its text unwrapped, its images fetched (S27 to S30).

    `timezone` and `actor` change nothing. Raises `ValueError` for empty content.
    """
    async with _fetching(fetch) as fetched:
        return await input_records(input_messages, agent_id=agent_id, run_id=run_id, fetch=fetched)


async def create_approval_response_message_from_input(
    agent_state: AgentState,
    input_message: ApprovalCreate,
    run_id: str | None = None,
    *,
    fetch: FetchImage | None = None,
) -> list[Record]:
    """Return a person's answer to an approval request as one message (S31)."""
    async with _fetching(fetch) as fetched:
        return await approval_response(agent_state, input_message, run_id=run_id, fetch=fetched)


@asynccontextmanager
async def _fetching(fetch: FetchImage | None) -> AsyncGenerator[FetchImage]:
    if fetch is not None:
        yield fetch
        return
    fetcher = ImageFetcher()
    try:
        yield fetcher
    finally:
        await fetcher.close()


def get_user_message_from_chat_completions_request(
    completion_request: object,
) -> list[MessageCreate]:
    """Return the last message of a request, which must be a user's text (S57 to S63).

    Raises `HTTPException` with status 400 and the reason as its detail.
    """
    try:
        last = cast("dict[str, Any]", listed(completion_request)[-1])
    except Invalid as error:
        raise HTTPException(_BAD_REQUEST, str(error)) from error
    if _field(last, "role") != "user":
        _log.error("request.last_message_not_of_user", role=str(last["role"]))
        raise HTTPException(_BAD_REQUEST, "'messages[-1].role' must be a 'user'")
    content = _field(last, "content")
    if not isinstance(content, str):
        raise HTTPException(_BAD_REQUEST, "'messages[-1].content' must be a 'string'")
    return [MessageCreate(role="user", content=[TextContent(text=content)])]


def _field(message: dict[str, Any], name: str) -> object:
    if name not in message:
        raise HTTPException(_BAD_REQUEST, f"'messages[-1].{name}' is missing")
    return message[name]
