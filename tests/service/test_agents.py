"""What agents cost in statements, and that they are made and changed whole."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe import ids
from eunoe.domain.agent_states import RELATIONS
from eunoe.domain.blocks import BlockDraft
from eunoe.domain.drafts import AgentDraft, AgentPatch
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import BlockExists, Invalid, ModelUnknown
from eunoe.service import agents, states
from eunoe.service.models import Defaults
from eunoe.store import agents as stored
from eunoe.store import tools
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page
from tests.fixtures.apis import STORED_TOOLS

pytestmark = pytest.mark.anyio

ACTOR = Actor()
DEFAULTS = Defaults(model="here/one")


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
async def test_a_page_of_agents_costs_a_fixed_number_of_statements(seeded: Database) -> None:
    for number in range(7):
        await make(seeded, name=f"Agent {number}", tags=("t",))
    async with seeded.read(ACTOR) as tx:
        found = await stored.list_agents(tx, AgentFilter(), Page(limit=100))
        listed = await states.of(tx, found, include=RELATIONS)
        assert tx.statements <= 8
    assert len(listed) == 7
    for one in listed:
        assert (len(one.blocks), len(one.tools), one.tags) == (1, 3, ("t",))
        assert len(one.message_ids) == 1
    async with seeded.read(ACTOR) as tx:
        await states.one(tx, listed[0].agent.id, include=())
        assert tx.statements <= 2


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
                await stored.note_run_end(tx, agent_id, reason="end_turn", at=ended, duration_ms=5)
            return await super().resolve(handle)

    patch = AgentPatch(values={"name": "Ada"}, model=replace(AgentDraft().model, handle="here/two"))
    changed = await agents.update(seeded, ACTOR, agent_id, patch, models=SlowShelf())
    assert (changed.agent.name, changed.agent.model.handle) == ("Ada", "here/two")
    assert (changed.agent.last_stop_reason, changed.agent.last_run_completion) == (
        "end_turn",
        ended,
    )


@pytest.mark.rule("api-2.6")
async def test_ids_are_the_servers(seeded: Database) -> None:
    assert ids.is_id("agent", await make(seeded))
