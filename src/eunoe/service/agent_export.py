"""Agents taken out of the store, with all that belongs to them, in one snapshot (api 7.1)."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, TypeVar

from eunoe import ids
from eunoe.domain.agent_files import (
    AgentFile,
    AgentRecord,
    ConversationRecord,
    FileRecord,
    names_of,
    renamed,
)
from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block, BlockVersion
from eunoe.domain.folders import Folder
from eunoe.domain.groups import Group
from eunoe.domain.mcp_servers import McpServer, bare, served_by, server_name
from eunoe.domain.messages import Json, Message
from eunoe.domain.passages import Archive
from eunoe.domain.runs import Run, Step
from eunoe.domain.tools import Tool
from eunoe.errors import Invalid, Missing
from eunoe.service import places, states
from eunoe.store import (
    agents,
    archives,
    audit,
    block_versions,
    blocks,
    conversations,
    file_texts,
    files,
    groups,
    isolated_blocks,
    lists,
    mcp_servers,
    messages,
    passages,
    runs,
    steps,
)
from eunoe.store.db import Actor, Database, Tx

R = TypeVar("R", Run, Step)

MOST_AGENTS: Final = 200
_PART: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be in the file. `conversation_id` puts its window in place of the agent's."""

    conversation_id: str | None = None
    scrub_messages: bool = False
    everything: bool = False
    skills: tuple[Json, ...] = ()


async def export(db: Database, actor: Actor, agent_id: str, wanted: Wanted) -> AgentFile:
    """Return the agent with every member of the groups it manages, under the file's own ids.

    Raises `Missing` for an unknown agent or conversation, `Invalid` for wishes that exclude
    each other.
    """
    if wanted.everything and (wanted.conversation_id is not None or wanted.scrub_messages):
        raise Invalid("A file with everything holds all conversations and messages; ask for less.")
    async with db.read(actor, long=True) as tx:
        found = await _gathered(tx, agent_id, wanted)
    async with db.write(actor) as tx:
        await audit.note(tx, "agent.export", agent_id)
    return await asyncio.to_thread(_local, replace(found, skills=wanted.skills))


def _local(file: AgentFile) -> AgentFile:
    """Return the file with ids of its own: a prefix and a number, counted by noun (7.1.3)."""
    counters = {noun: count() for noun in ids.PREFIXES}
    name = names_of(file, lambda noun: f"{ids.PREFIXES[noun]}-{next(counters[noun])}")
    return renamed(file, name)


async def _gathered(tx: Tx, agent_id: str, wanted: Wanted) -> AgentFile:
    found, managed = await _company(tx, agent_id)
    states_of = await states.of(tx, found, include={"blocks", "tools", "secrets", "sources"})
    records = [
        AgentRecord(
            agent=one.agent,
            block_ids=tuple(block.id for block in one.blocks),
            tool_ids=tuple(tool.id for tool in one.tools),
            secrets=tuple((secret.key, "") for secret in one.secrets),
            folder_ids=tuple(folder.id for folder in one.folders),
            files=tuple(sorted(one.files, key=lambda block: block.name)),
        )
        for one in states_of
    ]
    file = AgentFile(
        agents=tuple(records),
        groups=managed,
        blocks=await _blocks(tx, [block for one in states_of for block in one.blocks], managed),
        tools=_tools(tool for one in states_of for tool in one.tools),
        folders=_folders(states_of),
    )
    file = replace(file, files=await _files(tx, file.folders), servers=await _servers(tx, file))
    if wanted.everything:
        return await _with_everything(tx, file)
    return file if wanted.scrub_messages else await _with_windows(tx, file, wanted)


async def _company(tx: Tx, agent_id: str) -> tuple[list[Agent], tuple[Group, ...]]:
    """Return the agent, the members of its groups, those of theirs, and the groups."""
    found = {agent_id: await states.known(tx, agent_id)}
    managed: list[Group] = []
    waiting = [agent_id]
    while waiting:
        own = await groups.of_manager(tx, waiting.pop(0))
        own.sort(key=lambda one: (one.created_at, one.id))
        managed += own
        new = [one for group in own for one in group.agent_ids if one not in found]
        known = await agents.many(tx, new)
        found |= {one: known[one] for one in new if one in known}
        waiting += dict.fromkeys(new)
        if len(found) > MOST_AGENTS:
            raise Invalid(f"Its groups have more than {MOST_AGENTS} agents; export them apart.")
    return list(found.values()), tuple(managed)


async def _blocks(tx: Tx, attached: Sequence[Block], managed: Sequence[Group]) -> tuple[Block, ...]:
    """Return each block once, by label: those of the agents, then what only a group shares."""
    held = {block.id: block for block in attached}
    shared = [one for group in managed for one in group.shared_block_ids if one not in held]
    known = await blocks.many(tx, shared) if shared else {}
    held |= {one: known[one] for one in shared if one in known}
    return tuple(sorted(held.values(), key=lambda block: block.label))


def _folders(found: Iterable[AgentState]) -> tuple[Folder, ...]:
    held = {folder.id: folder for one in found for folder in one.folders}
    return tuple(sorted(held.values(), key=lambda folder: folder.name))


async def _files(tx: Tx, held: Sequence[Folder]) -> tuple[FileRecord, ...]:
    """Return what is in the folders, as far as it has been read, with its text."""
    read = [one for folder in held for one in await files.readable(tx, folder.id)]
    places = {folder.id: place for place, folder in enumerate(held)}
    found = sorted(read, key=lambda one: (places[one.folder_id], one.name))
    texts = [await file_texts.whole(tx, one.id) for one in found]
    return tuple(FileRecord(file=one, content=text) for one, text in zip(found, texts, strict=True))


async def _servers(tx: Tx, file: AgentFile) -> tuple[McpServer, ...]:
    """Return the servers of the tools, without what only their owner may know (7.1)."""
    theirs = [tool.id for tool in file.tools if server_name(tool) is not None]
    return tuple(bare(one) for one in await mcp_servers.of_tools(tx, theirs)) if theirs else ()


def _tools(attached: Iterable[Tool]) -> tuple[Tool, ...]:
    held = {
        tool.id: tool if server_name(tool) is None else served_by(tool, None) for tool in attached
    }
    return tuple(sorted(held.values(), key=lambda tool: tool.name))


async def _with_windows(tx: Tx, file: AgentFile, wanted: Wanted) -> AgentFile:
    """Return the file with what each agent has in its window, and no more (7.1.5)."""
    records: list[AgentRecord] = []
    said: list[Message] = []
    talk = places.DEFAULT if wanted.conversation_id is None else wanted.conversation_id
    for record in file.agents:
        list_id = record.agent.id
        if talk not in (places.DEFAULT, list_id) and not records:
            conversation = await places.known(tx, talk)
            if conversation.agent_id != list_id:
                raise Missing(f"The agent {list_id} has no conversation {conversation.id}.")
            list_id = conversation.id
        window = await lists.window(tx, list_id)
        own = tuple(one.id for one in window)
        records.append(replace(record, window=own, listed=own))
        said += [replace(one, agent_id=record.agent.id) for one in window]
    return replace(file, agents=tuple(records), messages=tuple(said))


async def _with_everything(tx: Tx, file: AgentFile) -> AgentFile:
    agent_ids = [record.agent.id for record in file.agents]
    said = await _said(tx, agent_ids)
    talks = await conversations.of_agents(tx, agent_ids)
    at = {seq: message.id for seq, message in said}
    listed = await lists.entries(tx, [*agent_ids, *(talk.id for talk in talks)])
    talks.sort(key=lambda one: (one.created_at, listed[one.id][:1]))
    own = await isolated_blocks.ids(tx, [talk.id for talk in talks])
    copies = await blocks.many(tx, [one for held in own.values() for one in held])
    held = await archives.of_agents(tx, agent_ids)
    kept: dict[str, Archive] = {one.id: one for one in held.values()}
    whole = (*file.blocks, *(copies[one] for held_ids in own.values() for one in held_ids))
    spoken = [message for _, message in said]
    return replace(
        file,
        whole=True,
        agents=tuple(
            replace(
                record,
                archive_id=held[record.agent.id].id if record.agent.id in held else None,
                **_lists(listed[record.agent.id], at),
            )
            for record in file.agents
        ),
        blocks=whole,
        messages=tuple(spoken),
        conversations=tuple(
            ConversationRecord(
                conversation=talk, block_ids=tuple(own[talk.id]), **_lists(listed[talk.id], at)
            )
            for talk in talks
        ),
        archives=tuple(kept.values()),
        passages=tuple(await passages.of_archives(tx, list(kept))),
        runs=_runs(await runs.ended_of_agents(tx, agent_ids), spoken),
        steps=tuple(
            _as_heard(await steps.of_agents(tx, agent_ids), [one.step_id for one in spoken])
        ),
        versions=await _versions(tx, whole),
    )


async def _said(tx: Tx, agent_ids: Sequence[str]) -> list[tuple[int, Message]]:
    """Return all that the agents have stored, in the order it was said, each with its place.

    Some at a time, so that reading very many does not keep the server from others.
    """
    found: list[tuple[int, Message]] = []
    for agent_id in agent_ids:
        after_seq, part = 0, [(0, None)] * _PART
        while len(part) == _PART:
            part = await messages.of_agent(tx, agent_id, after_seq=after_seq, limit=_PART)
            found += part
            after_seq = part[-1][0] if part else after_seq
    return sorted(found, key=lambda one: one[0])


def _lists(
    entries: Sequence[tuple[int, int | None]], at: dict[int, str]
) -> dict[str, tuple[str, ...]]:
    """Return a list and its window by the ids of their messages."""
    here = [(seq, position) for seq, position in entries if seq in at]
    shown = sorted((position, seq) for seq, position in here if position is not None)
    return {
        "listed": tuple(at[seq] for seq, _ in here),
        "window": tuple(at[seq] for _, seq in shown),
    }


def _runs(found: Sequence[Run], said: Sequence[Message]) -> tuple[Run, ...]:
    """Return runs in the order in which they were heard of, without whom they were to call."""
    ordered = _as_heard(found, [message.run_id for message in said])
    alone = {"callback_url": None, "group_id": None, "callers": ()}
    return tuple(replace(run, options=replace(run.options, **alone)) for run in ordered)


def _as_heard(found: Sequence[R], ids_heard: Iterable[str | None]) -> list[R]:
    """Return runs or steps by time, those of one moment as messages name them."""
    heard = {one: at for at, one in enumerate(dict.fromkeys(ids_heard))}
    return sorted(found, key=lambda one: (one.created_at, heard.get(one.id, len(heard))))


async def _versions(tx: Tx, held: Collection[Block]) -> tuple[BlockVersion, ...]:
    """Return what the blocks have been, in the order in which the file has them."""
    place = {block.id: at for at, block in enumerate(held)}
    found = await block_versions.of(tx, list(place))
    return tuple(sorted(found, key=lambda one: (place[one.block_id], one.version)))
