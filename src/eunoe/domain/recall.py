"""What an agent can find again: which messages are searchable, and how a search is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from eunoe.domain.edits import BLOCK_TOOLS
from eunoe.domain.heartbeats import SEND_MESSAGE
from eunoe.domain.messages import Message, Role, text_of, words_of
from eunoe.domain.peers import sent_text
from eunoe.domain.wellformed import json_object, well_formed

CONVERSATION_SEARCHES: Final = frozenset(
    {"conversation_search", "conversation_search_date", "search_memory"}
)
INDEXED_CHARS: Final = 8_000
"""How much of one message is searchable; the index must not pay for a tool's megabyte."""

_SILENT_TOOLS: Final = (
    CONVERSATION_SEARCHES | BLOCK_TOOLS | {SEND_MESSAGE, "archival_memory_search"}
)
_ENVELOPE_HEAD: Final = 100
_SILENT_ENVELOPES: Final = frozenset({"heartbeat", "login", "system_alert"})

SearchedRole: TypeAlias = Literal["user", "assistant", "tool"]
TagMatch: TypeAlias = Literal["any", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageQuery:
    """A search of archives; blank `text` lists, newest first. Both bounds are inclusive.

    `archive_id` null searches the whole organization.
    """

    text: str = ""
    archive_id: str | None = None
    tags: tuple[str, ...] = ()
    tag_match: TagMatch = "any"
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """A search of what was said; blank `text` lists, newest first. Both bounds are inclusive.

    `agent_id` null searches the whole organization, `conversation_id` null every
    conversation of the agent (M30), `default` what is in none; no `roles` means all of them.
    `project_id` and `template_id` are those of the agents.
    """

    text: str = ""
    agent_id: str | None = None
    conversation_id: str | None = None
    project_id: str | None = None
    template_id: str | None = None
    roles: tuple[SearchedRole, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVector:
    """A query as the embedder with the handle `embedder` sees it; only its own vectors compare."""

    embedder: str
    values: tuple[float, ...]


def spoken(message: Message) -> str:
    """Return the words of `message` that a search may find, empty where there are none (M28).

    Left out are the system's own messages, heartbeats, summaries, edits of blocks that
    are in the prompt anyway, and searches with their results, which would find themselves (M26).
    """
    match message.role:
        case "system" | "summary":
            text = ""
        case "user":
            text = _unwrapped(text_of(message))
        case "assistant" | "approval":
            text = _said(message)
        case "tool":
            text = "\n\n".join(_returned(message))
        case _:
            assert_never(message.role)
    return well_formed(text[:INDEXED_CHARS]).replace("\x00", "").strip()


def searched_role(role: Role) -> SearchedRole:
    """Return the role that a search knows: a call that awaits approval is the assistant's."""
    match role:
        case "user":
            return "user"
        case "tool":
            return "tool"
        case "assistant" | "approval" | "system" | "summary":
            return "assistant"
        case _:
            assert_never(role)


def speaker(message: Message) -> str:
    """Return who spoke, as words: a given name, the tools that answered, or the role."""
    if message.returns:
        return " ".join(one.name for one in message.returns)
    return message.name or message.role


def day(at: datetime) -> str:
    """Return the day of `at` in the words that people ask with: `2023 05 08 8 May Monday`."""
    return f"{at:%Y %m %d} {at.day} {at:%B %A}"


def _unwrapped(text: str) -> str:
    """Return the message inside an envelope (api 9.14), empty for one that nobody said."""
    # Only what may be an envelope is parsed: a user's own JSON can be a megabyte.
    envelope = json_object(text) if '"type"' in text[:_ENVELOPE_HEAD] else {}
    kind = envelope.get("type")
    if kind in _SILENT_ENVELOPES:
        return ""
    if kind == "user_message":
        return str(envelope.get("message") or "")
    return text


def _said(message: Message) -> str:
    if any(call.name in CONVERSATION_SEARCHES for call in message.calls):
        return ""
    sent = [text for call in message.calls if (text := sent_text(call))]
    return "\n\n".join(sent) if sent else text_of(message)


def _returned(message: Message) -> Iterator[str]:
    for one in message.returns:
        output = words_of(one.output)
        if one.name not in _SILENT_TOOLS and output != "None":
            yield output
