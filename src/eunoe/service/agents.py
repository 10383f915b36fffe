"""Agents: made whole in one transaction, read with what somebody asked for, changed, removed."""

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime

from eunoe import ids
from eunoe.domain.agent_states import AgentState, Relation
from eunoe.domain.agents import Agent, AgentType
from eunoe.domain.alike import alike
from eunoe.domain.base_tools import (
    MULTI_AGENT,
    base_rules,
    base_tool_names,
    careful_rules,
    wants_base_rules,
    with_rules,
)
from eunoe.domain.blocks import Block
from eunoe.domain.compaction_settings import filled, followed, merged
from eunoe.domain.drafts import AgentDraft, AgentPatch
from eunoe.domain.identities import Identity
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.names import random_name
from eunoe.domain.secrets import AgentSecret
from eunoe.domain.systems import default_system
from eunoe.domain.tools import Tool
from eunoe.errors import BlockExists, Invalid
from eunoe.runs import files as opening
from eunoe.service import folders, identities, sleeptime, states
from eunoe.service.blocks import drafted
from eunoe.service.models import Defaults, Models, changed_model, embedding_of, model_of
from eunoe.service.opening import first_messages
from eunoe.service.stamps import made_by, touched_by
from eunoe.service.windows import rearrange
from eunoe.store import agents, audit, blocks, file_blocks, lists, related, search, secrets, tools
from eunoe.store import identities as stored_identities
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import all_there, there
from eunoe.store.paging import Page


async def create(
    db: Database, actor: Actor, draft: AgentDraft, *, models: Models, defaults: Defaults
) -> AgentState:
    """Make an agent with its blocks, tools and first messages; all of it or nothing (api 6.5).

    Raises `Invalid` for an agent type without a prompt and for tools that do not
    exist, `Missing` for a block that does not exist, `BlockExists` for two blocks of
    one label.
    """
    config = await model_of(
        draft.model, agent_type=draft.agent_type, models=models, defaults=defaults
    )
    embedding = await embedding_of(
        draft.embedding, models=models, defaults=defaults, chunk_size=draft.embedding_chunk_size
    )
    return await create_as(db, actor, draft, config=config, embedding=embedding, models=models)


async def create_as(
    db: Database,
    actor: Actor,
    draft: AgentDraft,
    *,
    config: ModelConfig,
    embedding: EmbeddingConfig | None,
    models: Models,
) -> AgentState:
    """Make an agent that speaks and embeds with just these, whatever the draft wishes."""
    partner = await _partner_model(draft.enable_sleeptime, config, draft.agent_type, models)
    now = datetime.now(UTC)
    async with db.write(actor) as tx:
        made = await _made(tx, draft, config, embedding, at=now)
        return made if partner is None else await _with_partner(tx, made, partner, at=now)


async def _made(
    tx: Tx,
    draft: AgentDraft,
    config: ModelConfig,
    embedding: EmbeddingConfig | None,
    *,
    at: datetime,
) -> AgentState:
    """Store an agent with all that is attached to it, and its first messages."""
    created = [drafted(block, actor=tx.actor, at=at) for block in draft.memory_blocks]
    held = await _wanted_tools(tx, draft)
    if draft.folder_ids:
        held = list({one.id: one for one in [*held, *await opening.file_tools(tx)]}.values())
    attached = [*await _wanted_blocks(tx, draft.block_ids), *created]
    _check_labels(attached)
    agent = _agent(draft, config, embedding, held, actor=tx.actor, at=at)
    await agents.insert(tx, agent)
    for block in created:
        await blocks.insert(tx, block)
    for block in attached:
        await blocks.attach(tx, agent.id, block)
    await tools.attach(tx, agent.id, [tool.id for tool in held])
    owners, variables = await _given(tx, agent.id, draft)
    if draft.folder_ids:
        await folders.give(tx, agent, draft.folder_ids, at=at)
        agent = replace(agent, has_folders=True)
    said = first_messages(
        agent,
        attached,
        draft.opening,
        base_tools=draft.include_base_tools,
        at=at,
        directories=await file_blocks.directories(tx, agent.id) if draft.folder_ids else (),
    )
    await lists.create(tx, agent.id)
    seqs = await lists.append(tx, agent.id, said)
    await search.index_messages(tx, said, seqs)
    if agent.has_folders:
        return await states.one(tx, agent.id)
    return AgentState(
        agent=agent,
        message_ids=tuple(message.id for message in said),
        blocks=tuple(attached),
        tools=tuple(held),
        tags=agent.tags,
        identities=owners,
        secrets=variables,
    )


async def _given(
    tx: Tx, agent_id: str, draft: AgentDraft
) -> tuple[tuple[Identity, ...], tuple[AgentSecret, ...]]:
    """Store whom the agent belongs to and its secrets; most have neither."""
    owners: tuple[Identity, ...] = ()
    variables: tuple[AgentSecret, ...] = ()
    if draft.identity_ids:
        await identities.give(tx, agent_id, draft.identity_ids)
        owners = await related.of_one(tx, agent_id, stored_identities.OF_AGENT)
    if draft.secrets:
        await secrets.replace(tx, agent_id, draft.secrets)
        variables = await related.of_one(tx, agent_id, secrets.OF_AGENT)
    return owners, variables


async def _partner_model(
    wanted: bool | None, config: ModelConfig, agent_type: AgentType, models: Models
) -> ModelConfig | None:
    """Return the model of who is to look after an agent's memory, null where nobody is."""
    if not wanted:
        return None
    sleeptime.check(agent_type)
    return await sleeptime.partner_model(config, agent_type=agent_type, models=models)


async def _with_partner(
    tx: Tx, main: AgentState, model: ModelConfig, *, at: datetime
) -> AgentState:
    """Make the agent that looks after the memory of `main`, with or without embeddings (FIX-63)."""
    draft = sleeptime.partner_draft(main)
    made = await _made(tx, draft, model, main.agent.embedding, at=at)
    return await sleeptime.pair(tx, main, made.agent, at=at)


async def get(
    db: Database, actor: Actor, agent_id: str, *, include: Collection[Relation]
) -> AgentState:
    """Return an agent with the relations in `include`; raise `Missing`."""
    async with db.read(actor) as tx:
        return await states.one(tx, agent_id, include=include)


async def list_agents(
    db: Database, actor: Actor, where: AgentFilter, page: Page, *, include: Collection[Relation]
) -> list[AgentState]:
    """Return a page of agents in one snapshot and a fixed number of statements."""
    async with db.read(actor) as tx:
        return await states.of(tx, await agents.list_agents(tx, where, page), include=include)


async def update(
    db: Database, actor: Actor, agent_id: str, patch: AgentPatch, *, models: Models
) -> AgentState:
    """Change what the patch says and answer with the whole agent (api 6.30).

    The system message is left alone: the next run rebuilds it if it has become
    another one (FIX-4b).
    """
    async with db.read(actor) as tx:
        before = await states.known(tx, agent_id)
    wanted = patch.values.get("enable_sleeptime")
    partner = await _partner_model(wanted, before.model, before.agent_type, models)
    after = await _changed(before, patch, models=models)
    after = replace(after, **touched_by(actor))
    async with db.write(actor) as tx:
        now = await states.known(tx, agent_id, held=True)
        agent = _onto(now, before=before, after=after)
        await agents.update(tx, agent, also=patch.values)
        if patch.block_ids is not None:
            await _replace_blocks(tx, agent_id, patch.block_ids)
        if patch.tool_ids is not None:
            await _replace_tools(tx, agent_id, patch.tool_ids)
        if patch.identity_ids is not None:
            await identities.give(tx, agent_id, patch.identity_ids)
        if patch.secrets is not None:
            await secrets.replace(tx, agent_id, patch.secrets)
        if patch.folder_ids is not None:
            await folders.exchange(tx, agent, patch.folder_ids, at=after.updated_at)
        if "max_files_open" in patch.values:
            await opening.bound(tx, agent)
        if patch.message_ids is not None:
            await rearrange(tx, agent_id, patch.message_ids)
        changed = await states.one(tx, agent_id)
        if partner is not None and changed.managed_group is None:
            return await _with_partner(tx, changed, partner, at=after.updated_at)
        return changed


async def delete(db: Database, actor: Actor, agent_id: str) -> None:
    """Remove an agent and what is its own; blocks, tools and archives stay (api 6.45).

    With it goes who looks after its memory. Raises `AgentManagesGroup`.
    """
    async with db.write(actor) as tx:
        for partner_id in await sleeptime.parted(tx, agent_id):
            await agents.delete(tx, partner_id)
        there(await agents.delete(tx, agent_id), "agent", agent_id)
        await audit.note(tx, "agent.delete", agent_id)


async def _wanted_tools(tx: Tx, draft: AgentDraft) -> list[Tool]:
    """Return the tools asked for, base tools first, each once."""
    base = (
        base_tool_names(draft.agent_type, sleeptime=bool(draft.enable_sleeptime))
        if draft.include_base_tools
        else ()
    )
    base += MULTI_AGENT if draft.include_multi_agent_tools else ()
    names = tuple(dict.fromkeys((*base, *draft.tools)))
    by_name = await tools.by_names(tx, names) if names else {}
    by_id = await tools.by_ids(tx, draft.tool_ids) if draft.tool_ids else {}
    absent = [name for name in base if name not in by_name]
    if absent:
        raise Invalid(
            f"Agents of type {draft.agent_type} begin with tools that were deleted here: "
            f"{', '.join(absent)}. POST /v1/tools/add-base-tools, or send include_base_tools false."
        )
    missing = [name for name in names if name not in by_name]
    missing += [tool_id for tool_id in draft.tool_ids if tool_id not in by_id]
    if missing:
        raise Invalid(f"There are no such tools: {', '.join(missing)}.")
    wanted = [by_name[name] for name in names] + [by_id[tool_id] for tool_id in draft.tool_ids]
    return list({tool.id: tool for tool in wanted}.values())


async def _wanted_blocks(tx: Tx, block_ids: Sequence[str]) -> list[Block]:
    if not block_ids:
        return []
    found = await blocks.many(tx, block_ids)
    all_there(found, block_ids, "blocks")
    return [found[block_id] for block_id in dict.fromkeys(block_ids)]


def _check_labels(attached: Sequence[Block]) -> None:
    labels: set[str] = set()
    for block in attached:
        if block.label in labels:
            raise BlockExists(f"The agent would have two blocks with the label `{block.label}`.")
        labels.add(block.label)


def _agent(
    draft: AgentDraft,
    config: ModelConfig,
    embedding: EmbeddingConfig | None,
    held: Sequence[Tool],
    *,
    actor: Actor,
    at: datetime,
) -> Agent:
    return alike(
        Agent,
        draft,
        id=ids.new("agent"),
        name=draft.name or random_name(),
        system=default_system(draft.agent_type) if draft.system is None else draft.system,
        model=config,
        embedding=embedding,
        compaction=filled(draft.compaction, model=config),
        timezone=draft.timezone or "UTC",
        tool_rules=_rules(draft, config, held),
        message_buffer_autoclear=draft.message_buffer_autoclear or _forgets(draft.agent_type),
        **made_by(actor, at=at),
    )


def _rules(draft: AgentDraft, config: ModelConfig, held: Sequence[Tool]) -> tuple[Json, ...]:
    """Return the agent's rules: its own, those of its base tools (6.10), of careful ones (6.9)."""
    own = draft.tool_rules or ()
    wanted = wants_base_rules(
        draft.include_base_tool_rules,
        agent_type=draft.agent_type,
        model=config.model,
        own_rules=bool(own),
        base_tools=draft.include_base_tools,
    )
    return with_rules(own, [*(base_rules(held) if wanted else ()), *careful_rules(held)])


def _forgets(agent_type: AgentType) -> bool:
    """Whether an agent of the type always begins anew, whatever is asked for (1.2)."""
    return agent_type == "workflow_agent"


async def _changed(agent: Agent, patch: AgentPatch, *, models: Models) -> Agent:
    changed = replace(agent, **patch.values)
    if _forgets(agent.agent_type):
        changed = replace(changed, message_buffer_autoclear=True)
    if patch.model is not None:
        config = await changed_model(
            agent.model, patch.model, agent_type=agent.agent_type, models=models
        )
        compaction = followed(agent.compaction, before=agent.model, after=config)
        changed = replace(changed, model=config, compaction=compaction)
    if patch.embedding is not None:
        embedding = await embedding_of(patch.embedding, models=models, defaults=Defaults())
        changed = replace(changed, embedding=embedding)
    if patch.compaction is not None:
        changed = replace(changed, compaction=merged(changed.compaction, patch.compaction))
    return changed


def _onto(now: Agent, *, before: Agent, after: Agent) -> Agent:
    """Return `now` with what the patch changed: a run that ended meanwhile is not undone."""
    changes = {
        one.name: getattr(after, one.name)
        for one in fields(Agent)
        if getattr(after, one.name) != getattr(before, one.name)
    }
    return replace(now, **changes)


async def _replace_blocks(tx: Tx, agent_id: str, block_ids: Sequence[str]) -> None:
    wanted = await _wanted_blocks(tx, block_ids)
    _check_labels(wanted)
    for block in await blocks.of_agent(tx, agent_id):
        await blocks.detach(tx, agent_id, block.id)
    for block in wanted:
        await blocks.attach(tx, agent_id, block)
        await sleeptime.share(tx, agent_id, block)


async def _replace_tools(tx: Tx, agent_id: str, tool_ids: Sequence[str]) -> None:
    found = await tools.by_ids(tx, tool_ids)
    all_there(found, tool_ids, "tools")
    held = (await tools.of_agents(tx, [agent_id]))[agent_id]
    await tools.detach(tx, agent_id, [tool.id for tool in held])
    await tools.attach(tx, agent_id, tool_ids)
