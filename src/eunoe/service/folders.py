"""Folders: made, changed, removed, and given to agents (api 15.2, 6.70)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from eunoe import ids
from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.folders import Folder
from eunoe.domain.messages import Json
from eunoe.errors import EmbedderMissing
from eunoe.runs import files as opening
from eunoe.service import states
from eunoe.service.models import Defaults, Models, embedding_of
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import folders, related
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import all_there, there


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDraft:
    """What a caller asks of a folder; in a patch a null says nothing."""

    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    metadata: Json | None = None
    embedding: str | None = None
    chunk_size: int | None = None


async def create(
    db: Database, actor: Actor, draft: FolderDraft, *, models: Models, defaults: Defaults
) -> Folder:
    """Make a folder; raise `EmbedderMissing` without an embedding model, `FolderNameTaken`."""
    embedding = await embedding_of(
        draft.embedding, models=models, defaults=defaults, chunk_size=draft.chunk_size
    )
    if embedding is None:
        raise EmbedderMissing("A folder needs an embedding model; send `embedding`.")
    folder = Folder(
        id=ids.new("folder"),
        name=draft.name or "",
        embedding=embedding,
        description=draft.description,
        instructions=draft.instructions,
        metadata=draft.metadata,
        **made_by(actor),
    )
    async with db.write(actor) as tx:
        await folders.insert(tx, folder)
    return folder


async def known(tx: Tx, folder_id: str, *, held: bool = False) -> Folder:
    """Return the folder; raise `Missing` for an unknown or foreign one."""
    return there(await folders.get(tx, folder_id, held=held), "folder", folder_id)


async def update(
    db: Database, actor: Actor, folder_id: str, draft: FolderDraft, *, models: Models
) -> Folder:
    """Change a folder; what is embedded already keeps its vectors."""
    embedding = None
    if draft.embedding is not None:
        embedding = await embedding_of(draft.embedding, models=models, defaults=Defaults())
    changes = {
        name: value
        for name in ("name", "description", "instructions", "metadata")
        if (value := getattr(draft, name)) is not None
    }
    async with db.write(actor) as tx:
        folder = await known(tx, folder_id, held=True)
        changed = replace(
            folder, **changes, embedding=embedding or folder.embedding, **touched_by(actor)
        )
        await folders.update(tx, changed)
    return changed


async def delete(db: Database, actor: Actor, folder_id: str) -> None:
    """Remove a folder with its files; the file tools of agents stay (15.2)."""
    async with db.write(actor) as tx:
        there(await folders.delete(tx, folder_id), "folder", folder_id)


# On an agent


async def attach(db: Database, actor: Actor, agent_id: str, folder_id: str) -> AgentState:
    """Give the agent a folder with its files and the tools to read them; again is no change."""
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id, held=True)
        await known(tx, folder_id)
        await opening.attach(tx, agent, folder_id, at=datetime.now(UTC))
        return await states.one(tx, agent_id)


async def detach(db: Database, actor: Actor, agent_id: str, folder_id: str) -> AgentState:
    """Take a folder off the agent, and with the last one the tools; again is no change."""
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id, held=True)
        await known(tx, folder_id)
        await opening.detach(tx, agent, folder_id)
        return await states.one(tx, agent_id)


async def give(tx: Tx, agent: Agent, folder_ids: Sequence[str], *, at: datetime) -> None:
    """Attach folders in this order; raise `Missing` for one that is not there."""
    wanted = list(dict.fromkeys(folder_ids))
    found = await folders.many(tx, wanted)
    all_there(found, wanted, "folders")
    for folder_id in wanted:
        await opening.attach(tx, agent, folder_id, at=at)


async def exchange(tx: Tx, agent: Agent, folder_ids: Sequence[str], *, at: datetime) -> None:
    """Let the agent have these folders and no others."""
    for folder in await related.of_one(tx, agent.id, folders.OF_AGENT):
        if folder.id not in folder_ids:
            await opening.detach(tx, agent, folder.id)
    await give(tx, agent, folder_ids, at=at)
