"""The words of a compaction: what a summariser is shown, and what becomes of its answer."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from eunoe.domain.messages import Json, Message, Text, ToolReturn, text_of, words_of
from eunoe.domain.wellformed import json_object, well_formed

MARKER: Final = "The following is a summary of the previous messages:"
ACKNOWLEDGEMENT: Final = "Understood. I will read the transcript and answer with the summary alone."
FILLER: Final = "Noted."
SHOW: Final = "Write the summary of this transcript, as you were told to."
CLIPPED: Final = "\n[the summary was cut here]"
_START: Final = "=== transcript starts ==="
_END: Final = "=== transcript ends ==="
_END_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What an automatic compaction did, in tokens and messages (C20)."""

    trigger: str
    context_tokens_before: int | None
    context_tokens_after: int | None
    context_window: int
    messages_count_before: int
    messages_count_after: int


def transcript(messages: Sequence[Message], *, return_chars: int | None = None) -> str:
    """Return `messages` as lines of `[role] text` between markers (C15).

    System messages are left out. `return_chars` is how much of each tool return is
    shown, null for all of it.
    """
    rows = [
        row
        for message in messages
        if message.role != "system"
        for row in _rows(message, return_chars=return_chars)
    ]
    return "\n".join([_START, *rows, _END])


def middle_cut(text: str, *, budget_bytes: int) -> str:
    """Return `text` without its middle where it has more than `budget_bytes` in UTF-8 (C17).

    Three tenths of the budget are kept at each end, since what a conversation is
    about is said first and where it stands last.
    """
    raw = text.encode()
    if len(raw) <= budget_bytes:
        return text
    head = raw[: int(budget_bytes * _END_SHARE)].decode(errors="ignore")
    tail = raw[len(raw) - int(budget_bytes * _END_SHARE) :].decode(errors="ignore")
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left_out} characters are left out here …]\n{tail}"


def clipped(summary: str, *, chars: int | None) -> str:
    """Return `summary` cut to `chars` characters and a note that says so; null cuts nothing."""
    if chars is None or len(summary) <= chars:
        return summary
    return summary[: max(chars, 0)] + CLIPPED


def truncation(messages: Sequence[Message], *, budget_bytes: int) -> str:
    """Return what stands for `messages` when no summariser could be had: their two ends."""
    shown = middle_cut(transcript(messages), budget_bytes=budget_bytes)
    return (
        "No summary could be made of these messages. They are stored and can be searched; "
        f"this is how they begin and end.\n{shown}"
    )


def envelope(summary: str, *, hidden: int | None, time: str, stats: Stats | None) -> str:
    """Return the stored text of a summary message (C20); `hidden` is how many messages left."""
    number = "earlier messages" if hidden is None else f"{hidden} earlier messages"
    said = (
        f"To make room, {number} of this conversation were hidden from view. They are stored "
        f"and can be searched. {MARKER}\n{summary}"
    )
    alert: Json = {"type": "system_alert", "message": said, "time": time}
    if stats is not None:
        alert["compaction_stats"] = asdict(stats)
    return json.dumps(alert, ensure_ascii=False)


def summary_of(message: Message) -> str:
    """Return the summary that a summary message holds, or its text where it has no envelope."""
    said = unwrapped(text_of(message))
    _, marker, summary = said.partition(MARKER)
    return summary.lstrip("\n") if marker else said


def unwrapped(text: str) -> str:
    """Return the `message` of an envelope of JSON, or `text` itself where it is none."""
    message = json_object(text).get("message")
    return message if isinstance(message, str) else text


def _rows(message: Message, *, return_chars: int | None) -> list[str]:
    said = [
        part.text if isinstance(part, Text) else "<image>"
        for part in message.content
        if part.type in {"text", "image"}
    ]
    text = "\n".join(part for part in said if part)
    if message.role in {"user", "summary"}:
        text = unwrapped(text)
    calls = [f"-> {call.name}({call.arguments})" for call in message.calls]
    first = [f"[{message.role}] {row}" for row in [" ".join([text, *calls]).strip()] if row]
    returns = [_returned(result, chars=return_chars) for result in message.returns]
    return [well_formed(row) for row in [*first, *returns]]


def _returned(result: ToolReturn, *, chars: int | None) -> str:
    text = words_of(result.output)
    if chars is not None and len(text) > chars:
        text = f"{text[:chars]}… [{len(text) - chars} characters more]"
    return f"[tool] {result.name}{'' if result.ok else ' failed'}: {text}"
