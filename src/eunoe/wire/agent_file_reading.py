"""Agent files as they are read: what a file says, checked from end to end before anything is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar, cast, get_args

import orjson
from pydantic import BaseModel, ValidationError

from eunoe.domain.agent_files import AgentFile, AgentRecord, storable
from eunoe.domain.blocks import Block
from eunoe.domain.messages import Json, Message
from eunoe.domain.runs import is_terminal
from eunoe.domain.times import known_zone
from eunoe.domain.tools import ToolType
from eunoe.errors import AgentFileInvalid, AgentFileTooLarge
from eunoe.wire.agent_file_entries import AgentEntry, FileBody, block_of, told, unknown_fields
from eunoe.wire.agent_file_extras import Extras, with_details, with_extras
from eunoe.wire.agent_file_legacy import as_graph, is_legacy
from eunoe.wire.agent_file_messages import MessageEntry
from eunoe.wire.agent_file_shapes import MOST_CHARS
from eunoe.wire.agent_files import EXTENSION

M = TypeVar("M", bound=BaseModel)

_MOST: Final = {
    "agents": 200,
    "groups": 200,
    "blocks": 20_000,
    "tools": 2_000,
    "folders": 2_000,
    "files": 20_000,
    "servers": 200,
    "messages": 500_000,
    "conversations": 50_000,
    "passages": 500_000,
    "runs": 500_000,
    "steps": 500_000,
    "versions": 500_000,
}
_TOLD: Final = 50
_TOOL_TYPES: Final = frozenset(get_args(ToolType))


def read(text: bytes, *, at: datetime) -> AgentFile:
    """Return what an agent file holds, under its own ids; `at` is when that is.

    A JSON text in a JSON string is unwrapped once. Raises `AgentFileInvalid`, naming the place,
    for what is no such file and for ids that are there twice or point nowhere.
    """
    value = _json(text)
    value = _json(value.encode()) if isinstance(value, str) else value
    if not isinstance(value, dict):
        raise AgentFileInvalid("An agent file is a JSON object.")
    fields = cast("Json", value)
    if is_legacy(fields):
        fields = as_graph(fields)
    if "agents" not in fields:
        raise AgentFileInvalid("The file has no `agents`, so it is not an agent file.")
    extension = fields.pop(EXTENSION, None)
    body = _valid(FileBody, fields)
    extras = None if extension is None else _valid(Extras, extension, place=EXTENSION)
    try:
        file = storable(_file(body, extras, at=at))
    except (ValueError, RecursionError) as error:
        # Whatever cannot be copied was nested too deep by somebody.
        raise AgentFileInvalid(f"Something in the file cannot be kept: {error}.") from error
    _check(file)
    return file


def _valid(shape: type[M], value: object, *, place: str = "") -> M:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise AgentFileInvalid(f"{told(error, place=place)}.") from error


def _json(text: bytes) -> object:
    try:
        return cast("object", orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise AgentFileInvalid(f"The file is not JSON: {error}.") from error


def _file(body: FileBody, extras: Extras | None, *, at: datetime) -> AgentFile:
    tools = [one for one in body.tools if one.tool_type in _TOOL_TYPES]
    kept = {one.id for one in tools}
    gone = {one.id for one in body.tools} - kept
    inline = [
        [block_of(one, f"{entry.id} {n}", at=at) for n, one in enumerate(entry.memory_blocks or ())]
        for entry in body.agents
    ]
    known = {one.id for one in body.sources}
    records = [
        replace(_record(entry, own, gone=gone, at=at), folder_ids=_folders(entry, known))
        for entry, own in zip(body.agents, inline, strict=True)
    ]
    said = [message for entry in body.agents for message in _said(entry, entry.messages or ())]
    file = AgentFile(
        agents=tuple(records),
        groups=tuple(one.group(at=at) for one in body.groups),
        blocks=(
            *(block_of(one, one.id, at=at) for one in body.blocks),
            *(block for own in inline for block in own),
        ),
        tools=tuple(one.tool() for one in tools),
        folders=tuple(one.folder(at=at) for one in body.sources),
        files=tuple(one.record(at=at) for one in body.files),
        servers=tuple(one.server(at=at) for one in body.mcp_servers),
        messages=tuple(said),
    )
    if extras is not None:
        file = with_extras(file, extras, _all_said(body, extras, said))
        file = replace(file, runs=tuple(one for one in file.runs if is_terminal(one.status)))
    return replace(file, warnings=tuple(_warnings(body, extras, gone)))


def _record(
    entry: AgentEntry, own: Sequence[Block], *, gone: set[str], at: datetime
) -> AgentRecord:
    said = [one.id for one in entry.messages or ()]
    window = said if entry.in_context_message_ids is None else entry.in_context_message_ids
    secrets = entry.secrets or entry.tool_exec_environment_variables or {}
    tool_ids = dict.fromkeys(one for one in entry.tool_ids or () if one not in gone)
    return AgentRecord(
        agent=replace(entry.agent(at=at), timezone=_zone(entry.timezone)),
        block_ids=(*dict.fromkeys(entry.block_ids or ()), *(block.id for block in own)),
        tool_ids=tuple(tool_ids),
        window=tuple(window),
        listed=tuple(said),
        secrets=tuple(secrets.items()),
        wanted_model=entry.model if entry.llm_config is None else None,
        wanted_embedding=entry.embedding if entry.embedding_config is None else None,
    )


def _folders(entry: AgentEntry, known: set[str]) -> tuple[str, ...]:
    """Return the folders of an agent that are in the file: an empty one may be left out of it."""
    named = [*(entry.source_ids or ()), *(entry.folder_ids or ())]
    named = [one for one in named if one in known]
    return tuple(dict.fromkeys([*named, *(one.source_id for one in entry.files_agents or ())]))


def _zone(name: str | None) -> str:
    return name if name and known_zone(name) else "UTC"


def _said(entry: AgentEntry, messages: Iterable[MessageEntry]) -> Iterator[Message]:
    calls: dict[str, str] = {}
    zone = _zone(entry.timezone)
    for one in messages:
        yield one.message(
            agent_id=entry.id, agent_type=entry.agent_type, timezone=zone, calls=calls
        )


def _all_said(body: FileBody, extras: Extras, shown: Sequence[Message]) -> list[Message]:
    """Return all messages of the file in the order they were said."""
    agents = {entry.id: entry for entry in body.agents}
    found = {message.id: message for message in shown}
    owned: dict[str, list[MessageEntry]] = {}
    for at, one in enumerate(extras.messages):
        if one.agent_id not in agents:
            place = f"{EXTENSION}.messages[{at}].agent_id"
            raise AgentFileInvalid(f"{place}: there is no agent {one.agent_id} in the file.")
        owned.setdefault(one.agent_id, []).append(one)
    for agent_id, entries in owned.items():
        found |= {message.id: message for message in _said(agents[agent_id], entries)}
    if sorted(found) != sorted(extras.said):
        raise AgentFileInvalid(f"{EXTENSION}.said: it has to name each message of the file once.")
    return [with_details(found[message_id], extras.details) for message_id in extras.said]


def _warnings(body: FileBody, extras: Extras | None, gone: set[str]) -> Iterator[str]:
    strange = [*unknown_fields(body), *unknown_fields(extras, EXTENSION)]
    yield from (f"{place}: nobody knows this field; it was left out." for place in strange[:_TOLD])
    if len(strange) > _TOLD:
        yield f"{len(strange) - _TOLD} more fields that nobody knows were left out."
    for at, tool in enumerate(body.tools):
        if tool.id in gone:
            yield f"tools[{at}]: tools of type {tool.tool_type} are not served; left out."
    if body.skills:
        yield f"skills: an import does not bring them; {len(body.skills)} left out."
    for at, entry in enumerate(body.agents):
        if entry.name and entry.plain_name() != entry.name:
            yield f"agents[{at}].name: it holds characters that names do not; they became _."
        if entry.timezone and _zone(entry.timezone) != entry.timezone:
            yield f"agents[{at}].timezone: there is no zone {entry.timezone}; UTC was taken."


# Whether ids are there once, and what they point at is there


def _check(file: AgentFile) -> None:
    for name, most in _MOST.items():
        count = len(getattr(file, name))
        if count > most:
            raise AgentFileTooLarge(f"The file has {count} {name}; at most {most} are taken.")
    ids = {
        "agents": _unique("agents", [one.agent.id for one in file.agents]),
        "groups": _unique("groups", [one.id for one in file.groups]),
        "blocks": _unique("blocks", [one.id for one in file.blocks]),
        "tools": _unique("tools", [one.id for one in file.tools]),
        "sources": _unique("sources", [one.id for one in file.folders]),
        "files": _unique("files", [one.file.id for one in file.files]),
        "messages": _unique("messages", [one.id for one in file.messages]),
        "conversations": _unique("conversations", [o.conversation.id for o in file.conversations]),
        "archives": _unique("archives", [one.id for one in file.archives]),
    }
    for name in ("passages", "runs", "steps"):
        _unique(name, [one.id for one in getattr(file, name)])
    for place, kind, wanted in _pointers(file):
        missing = [one for one in wanted if one not in ids[kind]]
        if missing:
            raise AgentFileInvalid(f"{place}: there is no {missing[0]} among the {kind}.")
    _check_lists(file)
    _check_labels(file)
    _check_versions(file)


def _unique(name: str, ids: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    for at, one in enumerate(ids):
        if one in seen:
            raise AgentFileInvalid(f"{name}[{at}].id: {one} is there twice.")
        seen.add(one)
    return seen


def _pointers(file: AgentFile) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield what points at something: where, at which kind of thing, and at which of them."""
    for at, record in enumerate(file.agents):
        place = f"agents[{at}]"
        yield f"{place}.block_ids", "blocks", record.block_ids
        yield f"{place}.tool_ids", "tools", record.tool_ids
        yield f"{place}.source_ids", "sources", record.folder_ids
        yield f"{place}.in_context_message_ids", "messages", record.window
        yield f"{EXTENSION}.listed", "messages", record.listed
        if record.archive_id is not None:
            yield f"{EXTENSION}.archive_ids", "archives", [record.archive_id]
    for at, group in enumerate(file.groups):
        place = f"groups[{at}]"
        yield f"{place}.agent_ids", "agents", group.agent_ids
        yield f"{place}.shared_block_ids", "blocks", group.shared_block_ids
        if group.manager_agent_id is not None:
            yield f"{place}.manager_config.manager_agent_id", "agents", [group.manager_agent_id]
    for at, one in enumerate(file.conversations):
        place = f"{EXTENSION}.conversations[{at}]"
        yield f"{place}.conversation.agent_id", "agents", [one.conversation.agent_id]
        yield f"{place}.block_ids", "blocks", one.block_ids
        yield f"{place}.in_context_message_ids", "messages", one.window
        yield f"{place}.listed", "messages", one.listed
    yield "files", "sources", [one.file.folder_id for one in file.files]
    for name, kind, owners in (
        ("passages", "archives", [one.archive_id for one in file.passages]),
        ("runs", "agents", [one.agent_id for one in file.runs]),
        ("steps", "agents", [one.agent_id for one in file.steps]),
        ("block_versions", "blocks", [one.block_id for one in file.versions]),
    ):
        yield f"{EXTENSION}.{name}", kind, owners


def _check_lists(file: AgentFile) -> None:
    places = [(f"agents[{at}]", one.window, one.listed) for at, one in enumerate(file.agents)]
    places += [
        (f"{EXTENSION}.conversations[{at}]", one.window, one.listed)
        for at, one in enumerate(file.conversations)
    ]
    for place, window, listed in places:
        _unique(f"{place}.in_context_message_ids", window)
        _unique(f"{place}.listed", listed)
        outside = set(window) - set(listed)
        if outside:
            raise AgentFileInvalid(f"{place}: {min(outside)} is in the window and not in the list.")


def _check_labels(file: AgentFile) -> None:
    labels = {block.id: block.label for block in file.blocks}
    held = [(f"agents[{at}].block_ids", one.block_ids) for at, one in enumerate(file.agents)]
    held += [
        (f"{EXTENSION}.conversations[{at}].block_ids", one.block_ids)
        for at, one in enumerate(file.conversations)
    ]
    for place, block_ids in held:
        here = [labels[block_id] for block_id in block_ids]
        twice = {label for label in here if here.count(label) > 1}
        if twice:
            raise AgentFileInvalid(f"{place}: two blocks have the label `{min(twice)}`.")
    for at, block in enumerate(file.blocks):
        if not 0 < len(block.label) <= MOST_CHARS:
            raise AgentFileInvalid(f"blocks[{at}].label: 1 to {MOST_CHARS} characters are taken.")
    for at, passage in enumerate(file.passages):
        if any(len(tag) > MOST_CHARS for tag in passage.tags):
            place = f"{EXTENSION}.passages[{at}].tags"
            raise AgentFileInvalid(f"{place}: at most {MOST_CHARS} characters are taken.")


def _check_versions(file: AgentFile) -> None:
    seen: set[tuple[str, int]] = set()
    for at, one in enumerate(file.versions):
        if (one.block_id, one.version) in seen:
            raise AgentFileInvalid(f"{EXTENSION}.block_versions[{at}]: it is there twice.")
        seen.add((one.block_id, one.version))
