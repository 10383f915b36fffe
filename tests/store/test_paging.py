"""One way to page every list: a total order, cursors that are ids, a constant number of queries."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eunoe.domain.agents import Agent
from eunoe.errors import Invalid, Missing
from eunoe.store import agents, archives
from eunoe.store.agents import AgentFilter
from eunoe.store.archives import ArchiveFilter
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page
from tests.store.samples import at, plain_agent, plain_archive

pytestmark = pytest.mark.anyio

ACTOR = Actor()
EVERY = AgentFilter()


async def page(db: Database, asked: Page) -> list[str]:
    async with db.read(ACTOR) as tx:
        return [agent.name for agent in await agents.list_agents(tx, EVERY, asked)]


async def ids_of(db: Database) -> dict[str, str]:
    async with db.read(ACTOR) as tx:
        found = await agents.list_agents(tx, EVERY, Page(limit=0))
    return {agent.name: agent.id for agent in found}


@pytest.fixture
async def five(database: Database) -> Database:
    """Agents 0 to 4, of which 2 and 3 were made at the same moment and 1 and 4 have run."""
    made = [plain_agent(str(n), minute=2 if n == 3 else n) for n in range(5)]
    twins = sorted((made[2].id, made[3].id))
    made[2], made[3] = replace(made[2], id=twins[0]), replace(made[3], id=twins[1])
    made[1] = replace(made[1], last_run_completion=at(9))
    made[4] = replace(made[4], last_run_completion=at(7))
    async with database.write(ACTOR) as tx:
        for agent in made:
            await agents.insert(tx, agent)
    return database


@pytest.mark.rule("api-5.4")
async def test_after_is_later_in_the_order_shown_and_before_is_earlier(five: Database) -> None:
    ids = await ids_of(five)
    assert await page(five, Page()) == ["4", "3", "2", "1", "0"]
    assert await page(five, Page(after=ids["3"])) == ["2", "1", "0"]
    assert await page(five, Page(before=ids["2"])) == ["4", "3"]
    assert await page(five, Page(ascending=True, after=ids["2"])) == ["3", "4"]
    assert await page(five, Page(ascending=True, before=ids["3"])) == ["0", "1", "2"]
    assert await page(five, Page(after=ids["4"], before=ids["1"])) == ["3", "2"]


@pytest.mark.rule("api-5.3")
async def test_a_page_before_is_the_one_next_to_the_cursor(five: Database) -> None:
    ids = await ids_of(five)
    assert await page(five, Page(before=ids["0"], limit=2)) == ["2", "1"]
    assert await page(five, Page(before=ids["2"], limit=2)) == ["4", "3"]
    assert await page(five, Page(ascending=True, before=ids["4"], limit=2)) == ["2", "3"]


@pytest.mark.rule("api-5.11")
async def test_what_has_no_place_in_the_order_comes_last(five: Database) -> None:
    ids = await ids_of(five)
    by_run = Page(order_by="last_run_completion")
    assert (await page(five, by_run))[:2] == ["1", "4"]
    assert (await page(five, replace(by_run, ascending=True)))[:2] == ["4", "1"]
    rest = await page(five, replace(by_run, after=ids["4"]))
    assert set(rest) == {"0", "2", "3"}
    assert await page(five, replace(by_run, after=ids[rest[0]])) == rest[1:]
    assert await page(five, replace(by_run, before=ids[rest[0]])) == ["1", "4"]


@pytest.mark.rule("api-5.5")
async def test_no_limit_is_a_thousand(five: Database) -> None:
    assert len(await page(five, Page(limit=0))) == 5
    assert await page(five, Page(limit=2)) == ["4", "3"]


@pytest.mark.rule("api-5.6")
async def test_an_unknown_cursor_is_ignored_or_missing(five: Database) -> None:
    unknown = plain_agent().id
    assert len(await page(five, Page(after=unknown))) == 5
    archive = plain_archive()
    async with five.write(ACTOR) as tx:
        await archives.insert(tx, archive)
    async with five.read(ACTOR) as tx:
        with pytest.raises(Missing):
            await archives.list_archives(tx, ArchiveFilter(), Page(after=unknown))
    async with five.read(ACTOR) as tx:
        assert await archives.list_archives(tx, ArchiveFilter(), Page(after=archive.id)) == []


async def test_a_cursor_of_another_organization_is_unknown(five: Database) -> None:
    ids = await ids_of(five)
    async with five.read(Actor(organization_id="org-other")) as tx:
        assert await agents.list_agents(tx, EVERY, Page(after=ids["4"])) == []


async def test_a_field_that_is_no_order_is_refused(five: Database) -> None:
    async with five.read(ACTOR) as tx:
        with pytest.raises(Invalid, match="name; DROP"):
            await agents.list_agents(tx, EVERY, Page(order_by="name; DROP TABLE agents"))


async def test_a_list_costs_the_same_however_long(five: Database) -> None:
    ids = await ids_of(five)
    async with five.read(ACTOR) as tx:
        await agents.list_agents(tx, EVERY, Page(limit=1))
        assert tx.statements == 1
        await agents.list_agents(tx, EVERY, Page(after=ids["4"], before=ids["0"]))
        assert tx.statements == 3


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moments=st.lists(st.integers(min_value=0, max_value=3), min_size=1, max_size=9),
    runs=st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=9, max_size=9),
    limit=st.integers(min_value=1, max_value=4),
    ascending=st.booleans(),
    order_by=st.sampled_from(["created_at", "last_run_completion"]),
)
async def test_walking_either_way_meets_each_row_once(
    database: Database,
    moments: list[int],
    runs: list[int | None],
    limit: int,
    ascending: bool,
    order_by: str,
) -> None:
    mine = Actor(organization_id=plain_agent().id)
    async with database.write(mine) as tx:
        for minute, run in zip(moments, runs, strict=False):
            ran = None if run is None else at(run)
            await agents.insert(tx, replace(plain_agent(minute=minute), last_run_completion=ran))
    async with database.read(mine) as tx:
        asked = Page(limit=0, ascending=ascending, order_by=order_by)
        whole = await agents.list_agents(tx, EVERY, asked)
        assert len(whole) == len(moments)
        step = replace(asked, limit=limit)
        forwards: list[Agent] = []
        while found := await agents.list_agents(
            tx, EVERY, replace(step, after=forwards[-1].id if forwards else None)
        ):
            forwards += found
        assert forwards == whole
        backwards: list[Agent] = [whole[-1]]
        while found := await agents.list_agents(tx, EVERY, replace(step, before=backwards[0].id)):
            backwards = found + backwards
        assert backwards == whole
