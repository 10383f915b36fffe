"""Agents of a file brought into the store: all of it in one transaction, or nothing (api 7.2)."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from eunoe import ids
from eunoe.domain.agent_files import AgentFile, AgentRecord, ConversationRecord, names_of, renamed
from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block, BlockVersion, remembered
from eunoe.domain.conversations import Conversation
from eunoe.domain.mcp_servers import McpServer, server_name
from eunoe.domain.messages import Message
from eunoe.domain.prompt import PromptFacts, system_text
from eunoe.domain.tools import Tool
from eunoe.errors import Invalid
from eunoe.service import agent_holdings
from eunoe.service.agent_models import Here, configured, embedded
from eunoe.service.models import Defaults, Models
from eunoe.service.opening import system_message
from eunoe.store import (
    agent_files,
    agents,
    archives,
    blocks,
    conversations,
    groups,
    isolated_blocks,
    lists,
    messages,
    passages,
    runs,
    search,
    secrets,
    steps,
    tools,
)
from eunoe.store.db import Actor, Database, Tx

T = TypeVar("T", AgentRecord, ConversationRecord)

V = TypeVar("V")

_PART: Final = 500
_MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a file is to be taken; a null handle or name leaves what the file says.

    `name` is the first agent's, whose file it is; the others keep theirs. Tools are matched
    by name, and `override_tools` puts the file's in the place of custom ones that are there.
    """

    name: str | None = None
    copy_suffix: bool = True
    override_tools: bool = True
    strip_messages: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str | None = None
    embedding: str | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The new agents in the order of the file, and what of it was left out."""

    agents: tuple[Agent, ...]
    warnings: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    """Files whose text is stored; the duty of files is to read and embed them."""


async def bring_in(
    db: Database,
    actor: Actor,
    file: AgentFile,
    wishes: Wishes,
    *,
    models: Models,
    defaults: Defaults,
) -> Imported:
    """Store the agents of a file that was read, under new ids, with all that the file holds.

    Raises `ModelUnknown` and `EmbeddingUnknown` for handles that were wished for. A model that
    the file names and nobody serves here is kept, and told.
    """
    file = _wished(file, wishes)
    warnings = list(file.warnings)
    here = Here(models=models, defaults=defaults, told=warnings)
    records = [
        await configured(one, here, model=wishes.model, embedding=wishes.embedding)
        for one in file.agents
    ]
    file = replace(
        file,
        agents=tuple(records),
        folders=tuple(
            [await embedded(one, here, embedding=wishes.embedding) for one in file.folders]
        ),
        servers=agent_holdings.allowed(file.servers, told=warnings),
    )
    file = await asyncio.to_thread(_own, file, user_id=actor.user_id)
    async with db.write(actor) as tx:
        made = await _stored(tx, file, wishes, told=warnings)
    return Imported(
        agents=made,
        warnings=tuple(dict.fromkeys(warnings)),
        file_ids=tuple(one.file.id for one in file.files),
    )


async def configured_first(
    file: AgentFile, wishes: Wishes, *, models: Models, defaults: Defaults
) -> AgentRecord:
    """Return the agent whose file it is, with a model of this server; raise `Invalid` for none."""
    if not file.agents:
        raise Invalid("The agent file holds no agent.")
    here = Here(models=models, defaults=defaults)
    return await configured(file.agents[0], here, model=wishes.model, embedding=wishes.embedding)


async def described(tx: Tx, file: AgentFile, first: AgentRecord, wishes: Wishes) -> AgentState:
    """Store the tools of a file, and return what its first agent is like; none is made."""
    found = [replace(tool, id=ids.new("tool")) for tool in file.tools if tool.id in first.tool_ids]
    held = await _tools(tx, found, wishes, servers={}, told=[])
    by_id = {block.id: block for block in file.blocks}
    return AgentState(
        agent=first.agent,
        message_ids=(),
        blocks=tuple(by_id[one] for one in first.block_ids),
        tools=tuple(tool for tool in found if tool.id in held),
    )


def _own(file: AgentFile, *, user_id: str) -> AgentFile:
    """Return the file under ids of this server, made by this user."""
    names = names_of(file, ids.new)
    return _opened(
        renamed(file, lambda noun, known: user_id if noun == "user" else names(noun, known))
    )


# What the caller wants otherwise than the file


def _wished(file: AgentFile, wishes: Wishes) -> AgentFile:
    suffix = "_copy" if wishes.copy_suffix else ""
    slept = {one.manager_agent_id for one in file.groups if one.manager_type == "sleeptime"}
    records: list[AgentRecord] = []
    for at, record in enumerate(file.agents):
        name = wishes.name if wishes.name and not at else f"{record.agent.name}{suffix}"
        agent = replace(
            record.agent,
            name=name,
            project_id=wishes.project_id,
            enable_sleeptime=True if record.agent.id in slept else None,
        )
        given = tuple((key, wishes.secrets.get(key, "")) for key, _ in record.secrets)
        records.append(replace(record, agent=agent, secrets=given))
    file = replace(
        file,
        agents=tuple(records),
        blocks=tuple(replace(one, project_id=wishes.project_id) for one in file.blocks),
    )
    return _without_messages(file) if wishes.strip_messages else file


def _without_messages(file: AgentFile) -> AgentFile:
    """Return the file without anything that was said, and without what that was said in."""
    own = {block_id for one in file.conversations for block_id in one.block_ids}
    return replace(
        file,
        agents=tuple(replace(one, window=(), listed=()) for one in file.agents),
        messages=(),
        conversations=(),
        runs=(),
        steps=(),
        blocks=tuple(one for one in file.blocks if one.id not in own),
        versions=tuple(one for one in file.versions if one.block_id not in own),
    )


# Storing


async def _stored(tx: Tx, file: AgentFile, wishes: Wishes, *, told: list[str]) -> tuple[Agent, ...]:
    servers = await agent_holdings.servers(tx, file.servers)
    held = await _tools(tx, file.tools, wishes, servers=servers, told=told)
    records = [
        replace(one, tool_ids=tuple(held[tool] for tool in one.tool_ids if tool in held))
        for one in file.agents
    ]
    by_id = {block.id: block for block in file.blocks}
    await blocks.insert_many(tx, *_with_history(file))
    for record in records:
        await agents.insert(tx, record.agent)
        if record.secrets:
            await secrets.replace(tx, record.agent.id, dict(record.secrets))
    await agent_files.link(tx, records, by_id)
    await _store_talk(tx, file, by_id)
    for at, group in enumerate(file.groups):
        await groups.insert(tx, replace(group, created_at=group.created_at + at * _MOMENT))
    await _store_archives(tx, file)
    await agent_holdings.store_folders(tx, file, records)
    return tuple(record.agent for record in records)


async def _tools(
    tx: Tx,
    found: Sequence[Tool],
    wishes: Wishes,
    *,
    servers: Mapping[str, McpServer],
    told: list[str],
) -> dict[str, str]:
    """Return the id under which each tool of the file is stored, by its new one (7.2).

    What this server brings itself is never overwritten, and what it lacks cannot be made.
    """
    here = await tools.by_names(tx, [tool.name for tool in found]) if found else {}
    ids_of: dict[str, str] = {}
    for tool in found:
        stored = here.get(tool.name)
        server = servers.get(server_name(tool) or "")
        if stored is None and server is not None:
            stored = here[tool.name] = await agent_holdings.remote(tx, tool, server)
        elif stored is None and tool.tool_type != _MADE:
            told.append(f"The tool {tool.name} ({tool.tool_type}) is not served here; left out.")
            continue
        if stored is None or (
            wishes.override_tools and tool.tool_type == stored.tool_type == _MADE
        ):
            fresh = replace(
                tool,
                id=tool.id if stored is None else stored.id,
                project_id=wishes.project_id if stored is None else stored.project_id,
                created_by_id=tx.actor.user_id if stored is None else stored.created_by_id,
                last_updated_by_id=tx.actor.user_id,
            )
            stored = here[tool.name] = await tools.upsert(tx, fresh)
        ids_of[tool.id] = stored.id
    return ids_of


_MADE: Final = "custom"
"""The type of tools that a file can bring; all others are the server's own or another one's."""


def _opened(file: AgentFile) -> AgentFile:
    """Return the file with a system message at the head of every window, which each list needs.

    The first run writes it anew where it says something else by then.
    """
    by_id = {block.id: block for block in file.blocks}
    said = {message.id: message for message in file.messages}
    opening: list[Message] = []

    def headed(record: AgentRecord, talk: T, conversation: Conversation | None) -> T:
        if talk.window and said[talk.window[0]].role == "system":
            return talk
        held = [by_id[block_id] for block_id in record.block_ids]
        at = said[talk.listed[0]].created_at if talk.listed else record.agent.created_at
        where = None if conversation is None else conversation.id
        facts = PromptFacts(conversation_id=where, recompiled_at=at, recalled=0, archived=0)
        text = system_text(record.agent, held, facts)
        system = system_message(record.agent, text, at=at, conversation_id=where)
        opening.append(system)
        window, listed = (system.id, *talk.window), (system.id, *talk.listed)
        return replace(talk, window=window, listed=listed)

    agents_of = {record.agent.id: record for record in file.agents}
    return replace(
        file,
        agents=tuple(headed(record, record, None) for record in file.agents),
        conversations=tuple(
            headed(agents_of[one.conversation.agent_id], one, one.conversation)
            for one in file.conversations
        ),
        messages=(*opening, *file.messages),
    )


def _with_history(file: AgentFile) -> tuple[list[Block], list[BlockVersion]]:
    """Return the blocks at their newest version, and what they have been; each has a first."""
    newest: dict[str, int] = {}
    for one in file.versions:
        newest[one.block_id] = max(one.version, newest.get(one.block_id, 1))
    fresh = [
        remembered(
            replace(block, version=1),
            actor_id=block.created_by_id,
            at=block.created_at or datetime.now(UTC),
        )
        for block in file.blocks
        if block.id not in newest
    ]
    held = [replace(block, version=newest.get(block.id, 1)) for block in file.blocks]
    return held, [*file.versions, *fresh]


async def _store_talk(tx: Tx, file: AgentFile, by_id: Mapping[str, Block]) -> None:
    """Store all that was said, the lists it is in, and the runs and steps that said it."""
    await conversations.insert_many(tx, [one.conversation for one in file.conversations])
    await isolated_blocks.link(
        tx,
        {
            one.conversation.id: [by_id[block_id] for block_id in one.block_ids]
            for one in file.conversations
        },
    )
    places: dict[str, int] = {}
    for part in _parts(file.messages):
        places |= await messages.insert_many(tx, part)
        await search.index_messages(tx, part, [places[one.id] for one in part])
    talks = [(record.agent.id, record) for record in file.agents]
    talks += [(one.conversation.id, one) for one in file.conversations]
    filled = {
        list_id: ([places[one] for one in talk.listed], [places[one] for one in talk.window])
        for list_id, talk in talks
    }
    await lists.fill(tx, filled)
    owned = [replace(run, list_id=run.conversation_id or run.agent_id) for run in file.runs]
    await runs.insert_ended(tx, owned)
    await steps.insert_many(tx, file.steps)


async def _store_archives(tx: Tx, file: AgentFile) -> None:
    for archive in file.archives:
        await archives.insert(tx, archive)
    for record in file.agents:
        if record.archive_id is not None:
            await archives.attach(tx, record.agent.id, record.archive_id)
    for part in _parts(file.passages):
        await passages.insert(tx, part)


def _parts(found: Sequence[V]) -> Iterator[Sequence[V]]:
    """Yield some at a time, so that storing very many does not keep the server from others."""
    for start in range(0, len(found), _PART):
        yield found[start : start + _PART]
