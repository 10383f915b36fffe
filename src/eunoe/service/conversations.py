"""Conversations: begun with a prompt of their own, forked, changed, removed (api 11)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.conversations import Conversation, ConversationDraft, ConversationState
from eunoe.domain.messages import Json, Message, unanswered
from eunoe.domain.prompt import system_text
from eunoe.errors import Invalid, ListBusy, Missing
from eunoe.service import places, states
from eunoe.service.models import Models
from eunoe.service.opening import system_message
from eunoe.service.places import Place
from eunoe.service.stamps import made_by
from eunoe.store import blocks, conversations, file_blocks, isolated_blocks, lists, related, runs
from eunoe.store.conversations import ConversationFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.facts import facts
from eunoe.store.own import there
from eunoe.store.paging import Page


async def create(
    db: Database, actor: Actor, agent_id: str, draft: ConversationDraft, *, models: Models
) -> ConversationState:
    """Begin a conversation with a system message of its own (streaming 6.1, 6.2).

    Raises `Missing` for an unknown agent or model, `Invalid` for the label of a block
    that the agent does not have.
    """
    conversation = _new(agent_id, draft.values, actor=actor)
    place = Place(agent_id=agent_id, conversation=conversation)
    place = await places.with_model(place, models=models)
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id)
        shared = {block.label: block for block in await blocks.of_agent(tx, agent_id)}
        missing = [label for label in draft.isolated_labels if label not in shared]
        if missing:
            raise Invalid(f"The agent has no blocks labelled {', '.join(missing)}.")
        wanted = [shared[label] for label in dict.fromkeys(draft.isolated_labels)]
        return await _begun(tx, place.voice(agent), conversation, isolated=wanted)


async def fork(
    db: Database,
    actor: Actor,
    place: Place,
    *,
    upto: str | None,
    hidden: bool | None,
    models: Models,
) -> ConversationState:
    """Begin a conversation that shares what is in the window of another list (streaming 6.6).

    It ends with the message `upto` where one is named. What a run that goes on has said
    so far is left out, and copies of isolated blocks are copied again.
    """
    source = place.conversation
    kept = ("model", "model_settings", "context_window_limit")
    values: Json = {} if source is None else {name: getattr(source, name) for name in kept}
    conversation = _new(place.agent_id, {**values, "hidden": hidden}, actor=actor)
    voice = await places.with_model(replace(place, conversation=conversation), models=models)
    async with db.write(actor) as tx:
        agent = await states.known(tx, place.agent_id)
        copies: list[Block] = []
        if source is not None:
            await places.known(tx, source.id, held=True)
            copies = await isolated_blocks.of(tx, source.id)
        shared = _upto(await _settled(tx, place.list_id), upto)
        return await _begun(tx, voice.voice(agent), conversation, isolated=copies, shared=shared)


async def get(db: Database, actor: Actor, conversation_id: str) -> ConversationState:
    async with db.read(actor) as tx:
        return await _state(tx, await places.known(tx, conversation_id))


async def list_conversations(
    db: Database, actor: Actor, where: ConversationFilter, page: Page
) -> list[ConversationState]:
    """Return a page; what is in the windows is not read (streaming 6.1)."""
    async with db.read(actor) as tx:
        found = await conversations.list_conversations(tx, where, page)
        own = await isolated_blocks.ids(tx, [one.id for one in found])
    return [ConversationState(conversation=one, block_ids=tuple(own[one.id])) for one in found]


async def update(
    db: Database, actor: Actor, conversation_id: str, values: Json, *, models: Models
) -> ConversationState:
    """Change the fields in `values`; a model must be served and bear its settings."""
    async with db.read(actor) as tx:
        before = await places.known(tx, conversation_id)
        if not values:
            return await _state(tx, before)
        agent = await states.known(tx, before.agent_id)
    if "model" in values or "model_settings" in values:
        place = Place(agent_id=agent.id, conversation=replace(before, **values))
        (await places.with_model(place, models=models)).voice(agent)
    async with db.write(actor) as tx:
        now = await places.known(tx, conversation_id, held=True)
        touched = {"last_updated_by_id": actor.user_id, "updated_at": datetime.now(UTC)}
        changed = replace(now, **{**values, **touched})
        await conversations.update(tx, changed)
        return await _state(tx, changed)


async def delete(db: Database, actor: Actor, conversation_id: str) -> None:
    """Remove a conversation with its own blocks and what no other list shows (streaming 6.1).

    Its row stays for its runs. Raises `ListBusy` while one of them goes on.
    """
    async with db.write(actor) as tx:
        there(await conversations.delete(tx, conversation_id), "conversation", conversation_id)
        active = await runs.active_on(tx, conversation_id)
        if active is not None:
            raise ListBusy(run_id=active.id)
        await isolated_blocks.delete(tx, conversation_id)
        await lists.remove(tx, conversation_id)


def _new(agent_id: str, values: Json, *, actor: Actor) -> Conversation:
    fresh = Conversation(id=ids.new("conversation"), agent_id=agent_id, **made_by(actor))
    return replace(fresh, **values)


async def _begun(
    tx: Tx,
    agent: Agent,
    conversation: Conversation,
    *,
    isolated: Sequence[Block],
    shared: Sequence[tuple[int, Message]] = (),
) -> ConversationState:
    """Store the conversation, copies of `isolated` and its list, its prompt compiled now (6.2)."""
    now = conversation.created_at
    copies = [_copy(block, conversation) for block in isolated]
    await conversations.insert(tx, conversation)
    await isolated_blocks.insert(tx, conversation.id, copies)
    seen = await isolated_blocks.seen(tx, agent.id, conversation_id=conversation.id)
    outside = await facts(
        tx, agent_id=agent.id, list_id=conversation.id, conversation_id=conversation.id, now=now
    )
    outside = replace(outside, recalled=max(0, outside.recalled - len(shared)))
    listed = await file_blocks.directories(tx, agent.id) if agent.has_folders else ()
    text = system_text(agent, seen, outside, directories=listed)
    system = system_message(agent, text, at=now, conversation_id=conversation.id)
    await lists.begin(tx, conversation.id, system, shared=[seq for seq, _ in shared])
    return ConversationState(
        conversation=conversation,
        message_ids=(system.id, *(message.id for _, message in shared)),
        block_ids=tuple(block.id for block in copies),
    )


def _copy(block: Block, conversation: Conversation) -> Block:
    """Return the conversation's own copy of a block: what it says and its bounds (api 11.6)."""
    return Block(
        id=ids.new("block"),
        label=block.label,
        value=block.value,
        limit=block.limit,
        description=block.description,
        read_only=block.read_only,
        approve_writes=block.approve_writes,
        metadata=block.metadata,
        created_by_id=conversation.created_by_id,
        last_updated_by_id=conversation.created_by_id,
        created_at=conversation.created_at,
    )


async def _settled(tx: Tx, list_id: str) -> list[tuple[int, Message]]:
    """Return the window after its system message, without the turn that goes on."""
    window = await lists.placed(tx, list_id)
    active = await runs.active_on(tx, list_id)
    return [
        (seq, said)
        for seq, said in window[1:]
        if active is None or said.run_id != active.id or said.role == "summary"
    ]


def _upto(
    window: Sequence[tuple[int, Message]], message_id: str | None
) -> Sequence[tuple[int, Message]]:
    """Return the window up to a message, and the answers to the calls that it makes."""
    if message_id is None:
        return window
    places = [at for at, (_, said) in enumerate(window, 1) if said.id == message_id]
    if not places:
        raise Missing(f"There is no message {message_id} in the window that is to be forked.")
    end = places[0]
    while end < len(window) and unanswered([said for _, said in window[:end]]):
        end += 1
    return window[:end]


async def _state(tx: Tx, conversation: Conversation) -> ConversationState:
    window = await related.of_one(tx, conversation.id, lists.WINDOW)
    own = await isolated_blocks.ids(tx, [conversation.id])
    return ConversationState(
        conversation=conversation, message_ids=window, block_ids=tuple(own[conversation.id])
    )
