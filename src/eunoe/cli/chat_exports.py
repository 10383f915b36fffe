"""The data exports of ChatGPT and Claude, read as talks and written as an agent file.

Both change without notice and leave out what they like, so a reader takes what it finds and
passes over the rest. Only what was on the screen is a talk: of several versions of a message
the last chosen one, no calls of tools, no hidden instructions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast

from eunoe.domain.messages import Json
from eunoe.domain.wellformed import list_of, object_of

_WINDOW_CHARS: Final = 24_000
"""How much of a talk the agent has before it when it goes on; it finds the rest by searching."""
_TOOLS: Final = {
    "conversation_search": "letta_core",
    "memory_replace": "letta_memory_core",
    "memory_insert": "letta_memory_core",
}
_BLOCKS: Final = {
    "human": "Nothing is noted yet about the person I talk to.",
    "persona": (
        "I go on with the conversations that this person had with another assistant. What was "
        "said there I find with conversation_search, and what matters I keep in my memory."
    ),
}
_PICTURE: Final = "[a picture that is not in the export]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    role: Literal["user", "assistant"]
    text: str
    at: datetime
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    title: str | None
    began_at: datetime
    ended_at: datetime
    lines: tuple[Line, ...]
    is_archived: bool = False


# ChatGPT: a tree of messages, of which the branch to the current one was shown


def chatgpt_talks(entry: Json) -> Talk | None:
    """Return a conversation of ChatGPT, null where nothing was said in it."""
    began = _seconds(entry.get("create_time"))
    lines: list[Line] = []
    at = began
    for node in _branch(entry):
        message = object_of(node.get("message"))
        at = _seconds(message.get("create_time")) or at
        line = _chatgpt_line(message, at=at)
        if line is not None:
            lines.append(line)
    return _talk(
        entry.get("title"),
        lines,
        began=began,
        ended=_seconds(entry.get("update_time")),
        is_archived=bool(entry.get("is_archived")),
    )


def _branch(entry: Json) -> list[Json]:
    """Return the nodes from the root to the current one, oldest first; a circle ends it."""
    nodes = {key: object_of(node) for key, node in object_of(entry.get("mapping")).items()}
    current: object = entry.get("current_node")
    if current not in nodes:
        parents = {node.get("parent") for node in nodes.values()}
        current = next((key for key in reversed(list(nodes)) if key not in parents), None)
    found: list[Json] = []
    seen: set[object] = set()
    while isinstance(current, str) and current in nodes and current not in seen:
        seen.add(current)
        found.append(nodes[current])
        current = nodes[current].get("parent")
    return found[::-1]


def _chatgpt_line(message: Json, *, at: datetime | None) -> Line | None:
    role = object_of(message.get("author")).get("role")
    metadata = object_of(message.get("metadata"))
    hidden = metadata.get("is_visually_hidden_from_conversation") or message.get("weight") == 0
    if role not in {"user", "assistant"} or hidden:
        return None
    if message.get("recipient") not in {None, "all"}:
        return None
    text = _chatgpt_text(object_of(message.get("content")))
    model: object = metadata.get("model_slug")
    return _line(role, text, at=at, model=model if isinstance(model, str) else None)


def _chatgpt_text(content: Json) -> str:
    if content.get("content_type") not in {None, "text", "multimodal_text"}:
        return ""
    parts = [_chatgpt_part(part) for part in list_of(content.get("parts"))]
    return "\n\n".join(part for part in parts if part.strip())


def _chatgpt_part(part: object) -> str:
    if isinstance(part, str):
        return part
    fields = object_of(part)
    if "image" in str(fields.get("content_type", "")):
        return _PICTURE
    return str(fields.get("text") or "")


# Claude: a list of messages, each of several parts


def claude_talks(entry: Json) -> Talk | None:
    """Return a conversation of Claude, null where nothing was said in it."""
    began = _moment(entry.get("created_at"))
    lines: list[Line] = []
    at = began
    for one in list_of(entry.get("chat_messages")):
        message = object_of(one)
        at = _moment(message.get("created_at")) or at
        role = {"human": "user", "assistant": "assistant"}.get(str(message.get("sender")))
        line = _line(role, _claude_text(message), at=at)
        if line is not None:
            lines.append(line)
    ended = _moment(entry.get("updated_at"))
    return _talk(entry.get("name"), lines, began=began, ended=ended)


def _claude_text(message: Json) -> str:
    parts = [object_of(part) for part in list_of(message.get("content"))]
    texts = [str(part.get("text") or "") for part in parts if part.get("type") == "text"]
    said = "\n\n".join(text for text in texts if text.strip()) or str(message.get("text") or "")
    return "\n\n".join(one for one in (said, *_claude_attachments(message)) if one.strip())


def _claude_attachments(message: Json) -> Iterator[str]:
    read: set[object] = set()
    for one in map(object_of, list_of(message.get("attachments"))):
        name, text = one.get("file_name"), one.get("extracted_content")
        read.add(name)
        yield f"[The file {name}]\n{text}" if text else f"[The file {name}]"
    for one in map(object_of, list_of(message.get("files"))):
        if one.get("file_name") and one["file_name"] not in read:
            yield f"[The file {one['file_name']}]"


# Both


def _line(
    role: str | None, text: str, *, at: datetime | None, model: str | None = None
) -> Line | None:
    if role not in {"user", "assistant"} or not text.strip():
        return None
    said_by = cast("Literal['user', 'assistant']", role)
    return Line(role=said_by, text=text, at=at or datetime.fromtimestamp(0, UTC), model=model)


def _talk(
    title: object,
    lines: Sequence[Line],
    *,
    began: datetime | None,
    ended: datetime | None,
    is_archived: bool = False,
) -> Talk | None:
    if not lines:
        return None
    return Talk(
        title=title if isinstance(title, str) and title.strip() else None,
        began_at=began or lines[0].at,
        ended_at=ended or lines[-1].at,
        lines=tuple(lines),
        is_archived=is_archived,
    )


def agent_file(talks: Sequence[Talk], *, name: str) -> Json:
    """Return an agent file of one agent that has had these talks, the oldest first.

    It says nothing of a model, so that the agent gets the server's default one.
    """
    ordered = sorted(talks, key=lambda talk: talk.began_at)
    messages: list[Json] = []
    details: Json = {}
    conversations: list[Json] = []
    for number, talk in enumerate(ordered):
        talk_id = f"conv-{number}"
        first = len(messages)
        messages += [_message(line, first + at) for at, line in enumerate(talk.lines)]
        own = [message["id"] for message in messages[first:]]
        details |= {message_id: {"conversation_id": talk_id} for message_id in own}
        conversations.append(
            {
                "conversation": _conversation(talk, talk_id),
                "in_context_message_ids": own[-_shown(talk.lines) :],
                "listed": own,
            }
        )
    tools = [
        {"id": f"tool-{at}", "name": tool, "tool_type": kind}
        for at, (tool, kind) in enumerate(_TOOLS.items())
    ]
    agent = {
        "id": "agent-0",
        "name": name,
        "agent_type": "letta_v1_agent",
        "memory_blocks": [{"label": label, "value": value} for label, value in _BLOCKS.items()],
        "tool_ids": [tool["id"] for tool in tools],
    }
    return {
        "agents": [agent],
        "tools": tools,
        "eunoe": {
            "format": 1,
            "said": [message["id"] for message in messages],
            "messages": messages,
            "details": details,
            "conversations": conversations,
        },
    }


def _message(line: Line, number: int) -> Json:
    return {
        "id": f"message-{number}",
        "agent_id": "agent-0",
        "role": line.role,
        "content": [{"type": "text", "text": line.text}],
        "model": line.model,
        "created_at": line.at.isoformat(),
    }


def _conversation(talk: Talk, talk_id: str) -> Json:
    ended = talk.ended_at.isoformat()
    return {
        "id": talk_id,
        "agent_id": "agent-0",
        "summary": talk.title,
        "archived_at": ended if talk.is_archived else None,
        "last_message_at": talk.lines[-1].at.isoformat(),
        "created_at": talk.began_at.isoformat(),
        "updated_at": ended,
    }


def _shown(lines: Sequence[Line]) -> int:
    """Return how many of the last lines fit into the window that the talk goes on with."""
    left, number = _WINDOW_CHARS, 0
    for line in reversed(lines):
        left -= len(line.text)
        if left < 0 and number:
            break
        number += 1
    return number


def _seconds(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
