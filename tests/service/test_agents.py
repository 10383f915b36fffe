"""What agents cost in statements, and that they are made and changed whole."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eunoe import ids
from eunoe.domain.agent_states import RELATIONS
from eunoe.domain.blocks import BlockDraft
from eunoe.domain.drafts import AgentDraft, AgentPatch
from eunoe.domain.files import File
from eunoe.domain.folders import Folder
from eunoe.domain.groups import Group
from eunoe.domain.identities import IdentityDraft
from eunoe.domain.messages import Message, ToolCall
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import BlockExists, Invalid, ModelUnknown
from eunoe.service import agents, identities, states
from eunoe.service.models import Defaults
from eunoe.store import agents as stored
from eunoe.store import blocks, file_blocks, files, folders, groups, lists, tools
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database, Tx, to_micros
from eunoe.store.file_blocks import Shown
from eunoe.store.paging import Page
from tests.fixtures.apis import STORED_TOOLS
from tests.fixtures.databases import waited_for

pytestmark = pytest.mark.anyio

ACTOR = Actor()
DEFAULTS = Defaults(model="here/one")
_SAID = 100


class Shelf:
    """Serves any model of the provider `here`, and talks to none."""

    async def resolve(self, handle: str) -> ModelConfig:
        name, _, model = handle.partition("/")
        if name != "here":
            raise ModelUnknown(handle)
        return ModelConfig(handle=handle, model=model, provider_type="ollama", provider_name=name)

    async def resolve_embedding(self, handle: str) -> EmbeddingConfig:
        return EmbeddingConfig(handle=handle, model="e", provider_type="ollama", dimensions=3)

    def model_for(self, config: ModelConfig) -> Model:
        raise AssertionError(config)

    def embedder_for(self, config: EmbeddingConfig) -> Embedder:
        raise AssertionError(config)


@pytest.fixture
async def seeded(database: Database) -> Database:
    async with database.write(ACTOR) as tx:
        await tools.seed(tx, STORED_TOOLS)
    return database


async def make(db: Database, **values: object) -> str:
    draft = replace(AgentDraft(memory_blocks=(BlockDraft(label="human"),)), **values)
    made = await agents.create(db, ACTOR, draft, models=Shelf(), defaults=DEFAULTS)
    return made.agent.id


@pytest.mark.rule("api-6.3")
async def test_a_page_of_agents_with_all_they_have_costs_six_statements(seeded: Database) -> None:
    peer = await make(seeded, name="peer")
    made = [await with_everything(seeded, f"agent {number}", peer) for number in range(5)]
    page = Page(limit=100, after=made[-1])
    async with seeded.read(ACTOR) as tx:
        found = await stored.list_agents(tx, AgentFilter(query_text="agent"), page)
        listed = await states.of(tx, found, include=RELATIONS)
        # One for the cursor, and with the transaction's beginning and end it is six.
        assert tx.statements == 4
    assert [one.agent.id for one in listed] == made[-2::-1]
    for one in listed:
        name = one.agent.name
        assert [block.label for block in one.blocks] == ["human", "notes"]
        assert (len(one.tools), one.tags) == (3, ("a", "b"))
        assert one.request is not None
        assert len(one.message_ids) == _SAID + 2
        assert one.message_ids[-1] == one.request.id
        assert one.request.calls == (ToolCall(id="call", name="look", arguments="{}"),)
        assert [(it.key, it.value) for it in one.secrets] == [("a", "1"), ("b", name)]
        assert [owner.name for owner in one.identities] == ["first", name]
        assert [folder.name for folder in one.folders] == [name, f"{name} too"]
        assert [it.name for it in one.files] == [f"{name}/a.txt", f"{name}/b.txt"]
        assert one.managed_group is not None
        assert one.managed_group.agent_ids == (peer, one.agent.id)
        assert one.managed_group.shared_block_ids == (one.blocks[0].id,)
    async with seeded.read(replace(ACTOR, sees_secrets=False)) as tx:
        bare = await states.one(tx, made[0], include=RELATIONS)
        assert (bare.secrets, tx.statements) == ((), 3)
    async with seeded.read(ACTOR) as tx:
        await states.one(tx, made[0], include=())
        assert tx.statements <= 2


async def with_everything(db: Database, name: str, peer: str) -> str:
    """Make an agent that has two of all that can be attached, and waits for an approval."""
    draft = IdentityDraft(identifier_key=name, name=name, identity_type="user")
    owners = [replace(draft, identifier_key=f"{name} 1", name="first"), draft]
    identity_ids = [(await identities.create(db, ACTOR, owner)).id for owner in owners]
    agent_id = await make(
        db,
        name=name,
        tags=("b", "a"),
        secrets={"b": name, "a": "1"},
        identity_ids=identity_ids,
        memory_blocks=(BlockDraft(label="human"), BlockDraft(label="notes")),
    )
    now = datetime.now(UTC)
    said = [
        Message(id=ids.new("message"), role="user", agent_id=agent_id, created_at=now)
        for _ in range(_SAID)
    ]
    asked = Message(
        id=ids.new("message"),
        role="approval",
        agent_id=agent_id,
        calls=(ToolCall(id="call", name="look", arguments="{}"),),
        created_at=now,
    )
    async with db.write(ACTOR) as tx:
        await lists.append(tx, agent_id, [*said, asked])
        for title in (name, f"{name} too"):
            folder = Folder(
                id=ids.new("folder"),
                name=title,
                embedding=EmbeddingConfig(
                    handle="here/e", model="e", provider_type="here", endpoint=None, dimensions=3
                ),
                created_at=now,
                updated_at=now,
            )
            await folders.insert(tx, folder)
            await folders.attach(tx, agent_id, folder.id)
            if title == name:
                await file_blocks.insert(
                    tx, agent_id, [await a_file(tx, folder, it) for it in "ba"], at=now
                )
        held = (await blocks.of_agent(tx, agent_id))[0]
        for members in ((), (peer, agent_id)):
            now += timedelta(seconds=1)
            group = Group(
                id=ids.new("group"),
                manager_type="supervisor",
                manager_agent_id=agent_id,
                agent_ids=members,
                shared_block_ids=(held.id,),
                description="",
                created_at=now,
                updated_at=now,
            )
            await groups.insert(tx, group)
    return agent_id


async def a_file(tx: Tx, folder: Folder, name: str) -> Shown:
    made = File(
        id=ids.new("file"),
        folder_id=folder.id,
        name=f"{name}.txt",
        original_name=f"{name}.txt",
        type="text/plain",
        size=1,
        created_at=folder.created_at,
        updated_at=folder.created_at,
    )
    await files.insert(tx, made)
    return Shown(file_id=made.id, visible="1: a line")


@pytest.mark.rule("api-6.5")
async def test_without_a_model_there_is_no_agent(seeded: Database) -> None:
    with pytest.raises(Invalid, match="model"):
        await agents.create(seeded, ACTOR, AgentDraft(), models=Shelf(), defaults=Defaults())
    made = await agents.create(
        seeded, ACTOR, AgentDraft(), models=Shelf(), defaults=Defaults(model="here/two")
    )
    assert (made.agent.model.handle, made.agent.embedding) == ("here/two", None)


@pytest.mark.rule("api-6.8", "G-2")
async def test_what_fails_half_way_leaves_nothing(seeded: Database) -> None:
    twins = (BlockDraft(label="human"), BlockDraft(label="human"))
    with pytest.raises(BlockExists):
        await make(seeded, memory_blocks=twins)
    async with seeded.read(ACTOR) as tx:
        assert await stored.count(tx, AgentFilter(show_hidden=True)) == 0
        assert await tx.fetch_value("SELECT COUNT(*) FROM blocks") == 0
        assert await tx.fetch_value("SELECT COUNT(*) FROM messages") == 0


@pytest.mark.rule("api-6.30")
async def test_a_patch_does_not_undo_a_run_that_ended_meanwhile(seeded: Database) -> None:
    agent_id = await make(seeded)
    ended = datetime(2026, 1, 2, tzinfo=UTC)

    class SlowShelf(Shelf):
        """Ends a run of the agent while the patch waits for the model's listing."""

        async def resolve(self, handle: str) -> ModelConfig:
            async with seeded.write(ACTOR) as tx:
                await tx.execute(
                    "UPDATE agents SET last_stop_reason = 'end_turn', last_run_completion = $1,"
                    " last_run_duration_ms = 5 WHERE id = $2",
                    to_micros(ended),
                    agent_id,
                )
            return await super().resolve(handle)

    patch = AgentPatch(values={"name": "Ada"}, model=replace(AgentDraft().model, handle="here/two"))
    changed = await agents.update(seeded, ACTOR, agent_id, patch, models=SlowShelf())
    assert (changed.agent.name, changed.agent.model.handle) == ("Ada", "here/two")
    assert (changed.agent.last_stop_reason, changed.agent.last_run_completion) == (
        "end_turn",
        ended,
    )


@pytest.mark.rule("api-6.30")
async def test_a_patch_that_waited_for_another_keeps_what_that_changed(seeded: Database) -> None:
    agent_id = await make(seeded)
    patch = AgentPatch(values={"name": "Ada"})
    async with asyncio.timeout(30), asyncio.TaskGroup() as group, seeded.write(ACTOR) as tx:
        agent = await states.known(tx, agent_id, held=True)
        await stored.update(tx, replace(agent, tags=("theirs",), description="Theirs."))
        waiting = group.create_task(agents.update(seeded, ACTOR, agent_id, patch, models=Shelf()))
        await waited_for(seeded)
    changed = waiting.result().agent
    assert (changed.name, changed.tags, changed.description) == ("Ada", ("theirs",), "Theirs.")


@pytest.mark.rule("api-2.6")
async def test_ids_are_the_servers(seeded: Database) -> None:
    assert ids.is_id("agent", await make(seeded))
