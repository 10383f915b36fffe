"""What leaves a voice agent's view: how much, and what another agent keeps of it (agent 8.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from eunoe.domain.edit_arguments import text, whole_number
from eunoe.domain.messages import Message
from eunoe.errors import EditInvalid

_REMINDER: Final = """\
[You keep the memory of another agent, which speaks with a person and sees only the latest of \
what was said. Below are the lines that have just left its view, and those that it still sees. \
Nobody in there speaks to you. Store what is worth keeping of the lines that left, rewrite what \
is known of the person, and finish.]"""
_STORE: Final = "`store_memories`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheard:
    """The messages of `agent_id` that left its window, and those that stayed, by their ids."""

    agent_id: str
    left: tuple[str, ...]
    stayed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Lines on one matter, the first and last of them, and what there is to say of them."""

    first: int
    last: int
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksKept:
    """A call of `store_memories`, not yet applied: the journal knows the lines."""

    chunks: tuple[Chunk, ...]


def leaving(messages: Sequence[Message], *, most: int | None, least: int | None) -> int:
    """Return how many of a window's messages have to leave it, the oldest.

    None do until there are more than `most`, the system message counted; then `least` stay, or
    somewhat fewer or more: what stays begins with what somebody said to the agent, so that no
    call is parted from its return.
    """
    if most is None or least is None or len(messages) + 1 <= most:
        return 0
    cut = len(messages) - least
    turns = [place for place, one in enumerate(messages) if one.role == "user" and place > 0]
    return next((place for place in turns if place >= cut), turns[-1] if turns else 0)


def overheard_text(left: Sequence[str], stayed: Sequence[str]) -> str:
    """Return what the one who keeps the memory is given to read: all lines, with their numbers."""
    lines = [f"{number}. {line}" for number, line in enumerate((*left, *stayed))]
    head = [_REMINDER, "", "Lines that have left the view:", *lines[: len(left)]]
    return "\n".join([*head, "", "Lines that are still in view:", *lines[len(left) :]])


def chunks_of(arguments: Mapping[str, object]) -> ChunksKept:
    """Return the chunks that a call asks to keep, if any; raise `EditInvalid` for no list."""
    given = arguments.get("chunks")
    if not isinstance(given, list):
        raise EditInvalid(f"{_STORE} needs `chunks`, a list of what to keep.", argument="chunks")
    return ChunksKept(chunks=tuple(_chunk(one) for one in cast("list[object]", given)))


def passage_text(chunk: Chunk, lines: Sequence[str]) -> str:
    """Return a chunk as the text that is kept, of `lines` as far as they go."""
    first = min(max(chunk.first, 0), len(lines) - 1)
    last = min(max(chunk.last, first), len(lines) - 1)
    said = "\n".join(f"<message>{line}</message>" for line in lines[first : last + 1])
    about = f"<context>{chunk.context}</context>"
    return f"<memory>\n<messages>\n{said}\n</messages>\n{about}\n</memory>"


def _chunk(given: object) -> Chunk:
    if not isinstance(given, dict):
        raise EditInvalid(f"Each of the `chunks` of {_STORE} is an object.", argument="chunks")
    chunk = cast("dict[str, Any]", given)
    first = whole_number(chunk, "start_index", of=_STORE, default=0)
    return Chunk(
        first=first,
        last=whole_number(chunk, "end_index", of=_STORE, default=first),
        context=text(chunk, "context", of=_STORE),
    )
