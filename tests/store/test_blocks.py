"""Blocks as stored: their history, their one label per agent, and who was faster."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.blocks import Block
from eunoe.domain.origins import Origin
from eunoe.errors import BlockChanged, BlockExists
from eunoe.store import agents, block_versions, blocks, related
from eunoe.store.agents import AgentFilter
from eunoe.store.blocks import BlockFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.paging import Page
from tests.store.samples import full_block, plain_agent, plain_block

pytestmark = pytest.mark.anyio

ACTOR = Actor()
STRANGER = Actor(organization_id="org-other")


async def stored(db: Database, *made: Block, agent_count: int = 0) -> list[str]:
    """Store blocks and as many agents; return the agents' ids."""
    people = [plain_agent(str(n), minute=n) for n in range(agent_count)]
    async with db.write(ACTOR) as tx:
        for block in made:
            await blocks.insert(tx, block)
        for agent in people:
            await agents.insert(tx, agent)
    return [agent.id for agent in people]


async def attach(db: Database, agent_id: str, *given: Block) -> None:
    async with db.write(ACTOR) as tx:
        for block in given:
            await blocks.attach(tx, agent_id, block)


async def test_a_block_comes_back_as_it_was(database: Database) -> None:
    full, plain = full_block(), plain_block()
    await stored(database, full, plain)
    async with database.read(ACTOR) as tx:
        assert await blocks.get(tx, full.id) == full
        assert await blocks.many(tx, [plain.id, "block-none"]) == {plain.id: plain}
        assert await blocks.get(tx, "block-none") is None


async def test_a_stranger_sees_and_changes_nothing(database: Database) -> None:
    block = plain_block()
    [agent_id] = await stored(database, block, agent_count=1)
    await attach(database, agent_id, block)
    async with database.write(STRANGER) as tx:
        assert await blocks.get(tx, block.id) is None
        assert await blocks.many(tx, [block.id]) == {}
        assert await blocks.of_agent(tx, agent_id) == []
        assert await blocks.by_label(tx, agent_id, block.label) is None
        assert await block_versions.of(tx, [block.id]) == []
        assert await blocks.list_blocks(tx, BlockFilter(), Page()) == []
        assert not await blocks.attach(tx, agent_id, block)
        assert not await blocks.detach(tx, agent_id, block.id)
        assert not await blocks.delete(tx, block.id)
        with pytest.raises(BlockChanged):
            await blocks.update(tx, block, expected_version=1)
    async with database.read(ACTOR) as tx:
        assert await blocks.of_agent(tx, agent_id) == [block]


async def test_each_change_is_remembered_with_who_and_where(database: Database) -> None:
    block = plain_block(value="first")
    await stored(database, block)
    async with database.write(ACTOR) as tx:
        second = await blocks.update(
            tx,
            replace(block, value="second", limit=10),
            expected_version=1,
            origin=Origin(agent_id="agent-a", run_id="run-r", step_id="step-s", message_id="m"),
        )
        by = ACTOR.user_id
        assert second == replace(block, value="second", limit=10, version=2, last_updated_by_id=by)
        await blocks.update(tx, replace(second, value="third"), expected_version=2)
    async with database.read(ACTOR) as tx:
        assert await blocks.get(tx, block.id) == replace(second, value="third", version=3)
        history = await block_versions.of(tx, [block.id])
    assert [(v.version, v.value, v.limit) for v in history] == [
        (1, "first", 100_000),
        (2, "second", 10),
        (3, "third", 10),
    ]
    assert {v.actor_id for v in history} == {ACTOR.user_id}
    assert [v.message_id for v in history] == [None, "m", None]
    assert [(v.agent_id, v.run_id, v.step_id) for v in history] == [
        (None, None, None),
        ("agent-a", "run-r", "step-s"),
        (None, None, None),
    ]


@pytest.mark.rule("api-12.20")
async def test_of_many_who_change_a_version_one_wins(database: Database) -> None:
    block = plain_block(value="")
    await stored(database, block)

    async def change(letter: str) -> None:
        async with database.write(ACTOR) as tx:
            found = await blocks.get(tx, block.id)
            assert found is not None
            await asyncio.sleep(0)
            await blocks.update(tx, replace(block, value=letter), expected_version=1)

    outcomes = await asyncio.gather(*(change(x) for x in "abcdef"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [BlockChanged] * 5
    async with database.read(ACTOR) as tx:
        found = await blocks.get(tx, block.id)
        assert found is not None
        assert found.value == "abcdef"[outcomes.index(None)]
        assert len(await block_versions.of(tx, [block.id])) == 2


async def test_attaching_keeps_the_order_and_is_done_once(database: Database) -> None:
    first, second, third = plain_block("z"), plain_block("a"), plain_block("m")
    one, two = await stored(database, first, second, third, agent_count=2)
    async with database.write(ACTOR) as tx:
        for block in (first, second, third):
            assert await blocks.attach(tx, one, block)
        assert not await blocks.attach(tx, one, first)
        assert not await blocks.attach(tx, "agent-none", first)
        assert await blocks.attach(tx, two, second)
        held = await related.of_all(tx, [one, two, "agent-none"], blocks=blocks.OF_AGENT)
        assert {agent_id: list(has["blocks"]) for agent_id, has in held.items()} == {
            one: [first, second, third],
            two: [second],
            "agent-none": [],
        }
        assert await blocks.of_agent(tx, one) == [first, second, third]
        found = await agents.list_agents(tx, AgentFilter(block_id=second.id), Page())
        assert {agent.id for agent in found} == {one, two}
        assert await blocks.by_label(tx, one, "m") == third
        assert await blocks.by_label(tx, two, "m") is None
        assert await blocks.detach(tx, one, second.id)
        assert not await blocks.detach(tx, one, second.id)
        assert await blocks.attach(tx, one, second)
        assert await blocks.of_agent(tx, one) == [first, third, second]


@pytest.mark.rule("api-6.60", "api-12.2")
async def test_an_agent_has_one_block_with_a_label(database: Database) -> None:
    first, second = plain_block("human"), plain_block("human")
    [agent_id] = await stored(database, first, second, agent_count=1)
    await attach(database, agent_id, first)
    with pytest.raises(BlockExists, match="human"):
        await attach(database, agent_id, second)
    async with database.read(ACTOR) as tx:
        assert await blocks.of_agent(tx, agent_id) == [first]


@pytest.mark.rule("api-12.20")
async def test_a_new_label_follows_to_the_agents_that_have_the_block(database: Database) -> None:
    block, other = plain_block("old"), plain_block("taken")
    one, two = await stored(database, block, other, agent_count=2)
    await attach(database, one, block)
    await attach(database, two, block, other)

    async def rename(label: str) -> None:
        async with database.write(ACTOR) as tx:
            await blocks.update(tx, replace(block, label=label), expected_version=1)

    with pytest.raises(BlockExists):
        await rename("taken")
    async with database.read(ACTOR) as tx:
        assert await blocks.get(tx, block.id) == block
    await rename("new")
    async with database.read(ACTOR) as tx:
        for agent_id in (one, two):
            assert await blocks.by_label(tx, agent_id, "new") is not None
            assert await blocks.by_label(tx, agent_id, "old") is None


@pytest.mark.rule("api-12.30")
async def test_a_deleted_block_leaves_its_agents(database: Database) -> None:
    block = plain_block()
    [agent_id] = await stored(database, block, agent_count=1)
    await attach(database, agent_id, block)
    async with database.write(ACTOR) as tx:
        assert await blocks.delete(tx, block.id)
        assert not await blocks.delete(tx, block.id)
        assert await blocks.of_agent(tx, agent_id) == []
        assert await block_versions.of(tx, [block.id]) == []


@pytest.mark.rule("api-12.2")
async def test_blocks_are_found_by_each_filter(database: Database) -> None:
    tea = replace(plain_block("human", "Likes Tea."), tags=("a", "b"), project_id="p")
    cat = replace(plain_block("Persona", "A cat.", minute=1), description="ÄRGER", tags=("b",))
    form = replace(plain_block("form", minute=2), is_template=True, template_name="n")
    secret = replace(plain_block("secret", minute=3), hidden=True)
    one, two = await stored(database, tea, cat, form, secret, agent_count=2)
    await attach(database, one, tea, cat)
    await attach(database, two, tea)
    cases: list[tuple[BlockFilter, list[Block]]] = [
        (BlockFilter(), [tea, cat]),
        (BlockFilter(templates_only=True), [form]),
        (BlockFilter(templates_only=None, show_hidden=True), [tea, cat, form, secret]),
        (BlockFilter(label="human"), [tea]),
        (BlockFilter(label_search="PERS"), [cat]),
        (BlockFilter(name="n", templates_only=None), [form]),
        (BlockFilter(value_search="tea"), [tea]),
        (BlockFilter(description_search="ärger"), [cat]),
        (BlockFilter(tags=("a", "b")), [tea, cat]),
        (BlockFilter(tags=("a", "b"), match_all_tags=True), [tea]),
        (BlockFilter(project_id="p"), [tea]),
        (BlockFilter(connected_gt=1), [tea]),
        (BlockFilter(connected_lt=2, show_hidden=True), [cat, secret]),
        (BlockFilter(connected_eq=(0, 2), show_hidden=True), [tea, secret]),
        (BlockFilter(agent_id=one), [tea, cat]),
    ]
    async with database.read(ACTOR) as tx:
        for where, expected in cases:
            assert await found(tx, where) == expected, where


async def found(tx: Tx, where: BlockFilter) -> list[Block]:
    shown = await blocks.list_blocks(tx, where, Page(ascending=True))
    assert await blocks.count(tx, where) == len(shown)
    return shown
