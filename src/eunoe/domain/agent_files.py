"""An agent file as values: agents with all that belongs to them, under ids of the file's own.

It is gathered from the store to be written, and made of a file to be stored. On the way every
id becomes another one (`renamed`), so that neither side knows the other's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block, BlockVersion
from eunoe.domain.conversations import Conversation
from eunoe.domain.files import File, FileBlock
from eunoe.domain.folders import Folder
from eunoe.domain.groups import Group
from eunoe.domain.mcp_servers import McpServer
from eunoe.domain.messages import Json, Message
from eunoe.domain.passages import Archive, Passage
from eunoe.domain.runs import Run, Step
from eunoe.domain.tools import Tool
from eunoe.errors import AgentFileInvalid

MOST_NUMBER: Final = 2**62
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """An agent and what it holds. `window` are the messages that its model sees, in order.

    `listed` are all of its own list in the order they were said. `wanted_model` is a handle
    that stands in the file in place of a configuration, `embedding_handle` likewise.
    """

    agent: Agent
    block_ids: tuple[str, ...] = ()
    tool_ids: tuple[str, ...] = ()
    archive_id: str | None = None
    window: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    wanted_model: str | None = None
    wanted_embedding: str | None = None
    folder_ids: tuple[str, ...] = ()
    files: tuple[FileBlock, ...] = ()
    """What it has of the files of its folders; whoever reads the file opens them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file of a folder with its whole text, from which it is embedded anew."""

    file: File
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRecord:
    """A conversation with the blocks that it has for itself, and its list as on an agent."""

    conversation: Conversation
    block_ids: tuple[str, ...] = ()
    window: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile:
    """`messages` are those of every agent in the order they were said.

    What follows `whole` is there only where the file holds everything. `warnings` say what of
    a file that was read is left out, and where it stood.
    """

    agents: tuple[AgentRecord, ...] = ()
    groups: tuple[Group, ...] = ()
    blocks: tuple[Block, ...] = ()
    tools: tuple[Tool, ...] = ()
    folders: tuple[Folder, ...] = ()
    files: tuple[FileRecord, ...] = ()
    servers: tuple[McpServer, ...] = ()
    messages: tuple[Message, ...] = ()
    skills: tuple[Json, ...] = ()
    whole: bool = False
    conversations: tuple[ConversationRecord, ...] = ()
    archives: tuple[Archive, ...] = ()
    passages: tuple[Passage, ...] = ()
    runs: tuple[Run, ...] = ()
    steps: tuple[Step, ...] = ()
    versions: tuple[BlockVersion, ...] = ()
    warnings: tuple[str, ...] = ()


Named: TypeAlias = Callable[[str, str], str | None]
"""Gives the other id of a noun and an id; null for one that is not of this file.

Of the noun `user` it gives who did all of it, whatever the id.
"""

_LIST: Final = "list"
_USERS: Final = frozenset({"created_by_id", "last_updated_by_id", "actor_id"})
_IDS: Final[Mapping[type, Mapping[str, str]]] = {
    AgentFile: {},
    AgentRecord: {
        "block_ids": "block",
        "tool_ids": "tool",
        "archive_id": "archive",
        "window": "message",
        "listed": "message",
        "folder_ids": "folder",
    },
    FileRecord: {},
    ConversationRecord: {"block_ids": "block", "window": "message", "listed": "message"},
    Agent: {"id": "agent"},
    Archive: {"id": "archive"},
    Block: {"id": "block"},
    BlockVersion: {
        "block_id": "block",
        "agent_id": "agent",
        "run_id": "run",
        "step_id": "step",
        "message_id": "message",
    },
    Conversation: {"id": "conversation", "agent_id": "agent"},
    File: {"id": "file", "folder_id": "folder"},
    FileBlock: {"id": "file_agent", "file_id": "file", "folder_id": "folder"},
    Folder: {"id": "folder"},
    Group: {
        "id": "group",
        "manager_agent_id": "agent",
        "agent_ids": "agent",
        "shared_block_ids": "block",
        "last_processed_message_id": "message",
    },
    McpServer: {"id": "mcp_server"},
    Message: {
        "id": "message",
        "agent_id": "agent",
        "conversation_id": "conversation",
        "request_id": "message",
        "sender_id": "agent",
        "group_id": "group",
        "step_id": "step",
        "run_id": "run",
    },
    Passage: {"id": "passage", "archive_id": "archive"},
    Run: {"id": "run", "agent_id": "agent", "conversation_id": "conversation", "list_id": _LIST},
    Step: {"id": "step", "run_id": "run", "agent_id": "agent"},
    Tool: {"id": "tool"},
}


_HOLDERS: Final = frozenset({AgentFile, AgentRecord, ConversationRecord, FileRecord})
"""What holds other things that have ids."""
_FIELDS: Final = {kind: frozenset(one.name for one in fields(kind)) for kind in _IDS}


def renamed(file: AgentFile, name: Named) -> AgentFile:
    """Return the file with every id replaced; what points out of the file points nowhere."""
    return cast("AgentFile", _renamed(file, name))


def _renamed(value: object, name: Named) -> object:
    if isinstance(value, tuple):
        return tuple(_renamed(one, name) for one in cast("tuple[object, ...]", value))
    kind = type(value)
    if kind not in _IDS:
        return value
    changes: dict[str, Any] = {
        held: _other(noun, getattr(value, held), name) for held, noun in _IDS[kind].items()
    }
    if kind in _HOLDERS:
        for one in fields(cast("Any", value)):
            if one.name not in changes:
                changes[one.name] = _renamed(getattr(value, one.name), name)
    changes |= {user: name("user", "") for user in _USERS & _FIELDS[kind]}
    return replace(cast("Any", value), **changes)


def _other(noun: str, held: object, name: Named) -> object:
    if held is None:
        return None
    if isinstance(held, tuple):
        others = (name(noun, one) for one in cast("tuple[str, ...]", held))
        return tuple(one for one in others if one is not None)
    if noun == _LIST:
        return name("conversation", cast("str", held)) or name("agent", cast("str", held))
    return name(noun, cast("str", held))


@dataclass(slots=True)
class Names:
    """The other id of each id, by noun; `made` gives a new one of a noun."""

    made: Callable[[str], str]
    given: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def add(self, noun: str, known: str) -> str:
        """Return the other id of a thing of this file, a new one the first time."""
        key = (noun, known)
        if key not in self.given:
            self.given[key] = self.made(noun)
        return self.given[key]

    def __call__(self, noun: str, known: str) -> str | None:
        return self.given.get((noun, known))


def names_of(file: AgentFile, made: Callable[[str], str]) -> Names:
    """Return other ids for all that is in the file, made in its order.

    Messages in a window come before the others, so that a file without those counts alike.
    """
    names = Names(made)
    for record in file.agents:
        names.add("agent", record.agent.id)
    for noun, found in (
        ("group", file.groups),
        ("block", file.blocks),
        ("tool", file.tools),
        ("folder", file.folders),
        ("file", [one.file for one in file.files]),
        ("file_agent", [one for record in file.agents for one in record.files]),
        ("mcp_server", file.servers),
    ):
        for one in found:
            names.add(noun, one.id)
    for record in file.agents:
        for message_id in record.window:
            names.add("message", message_id)
    for record in file.conversations:
        names.add("conversation", record.conversation.id)
    for noun, rest in (
        ("message", file.messages),
        ("archive", file.archives),
        ("passage", file.passages),
        ("run", file.runs),
        ("step", file.steps),
    ):
        for one in rest:
            names.add(noun, one.id)
    return names


def in_utc(at: datetime) -> datetime:
    """Return a time in UTC, where it is taken to be without a zone.

    Raises `ValueError` for one so early or late that some zone cannot have it.
    """
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if not _EARLIEST < at < _LATEST:
        raise ValueError("the time is out of the calendar")
    return at.astimezone(UTC)


def storable(file: AgentFile) -> AgentFile:
    """Return the file with its times in UTC; raise `AgentFileInvalid` for what no row can hold.

    Messages have been looked at when they were read.
    """
    checked = cast("AgentFile", _storable(replace(file, messages=()), "the file"))
    return replace(checked, messages=file.messages)


def _storable(value: object, place: str) -> object:
    match value:
        case bool() | None | str():
            return value
        case int() if abs(value) > MOST_NUMBER:
            raise AgentFileInvalid(f"{place}: the number is too large.")
        case datetime():
            try:
                return in_utc(value)
            except ValueError as error:
                raise AgentFileInvalid(f"{place}: {error}.") from error
        case tuple():
            items = cast("tuple[object, ...]", value)
            return tuple(_storable(one, f"{place}[{at}]") for at, one in enumerate(items))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _storable_fields(value, place)
        case _:
            return value


def _storable_fields(value: object, place: str) -> object:
    changes: dict[str, Any] = {}
    for one in fields(cast("Any", value)):
        held: object = getattr(value, one.name)
        kept = _storable(held, f"{place}.{one.name}")
        if kept is not held:
            changes[one.name] = kept
    return replace(cast("Any", value), **changes) if changes else value
