"""Archives and their passages as stored: one archive an agent, made once, listed by time."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.passages import Archive, Passage
from eunoe.errors import ArchiveAttached, Missing
from eunoe.store import agents, archives, passages
from eunoe.store.archives import ArchiveFilter
from eunoe.store.db import Actor, Database, Tx, UniqueViolated
from eunoe.store.paging import Page
from eunoe.store.passages import PassageFilter
from tests.store.samples import EMBEDDING, at, plain_agent, plain_archive, plain_passage

pytestmark = pytest.mark.anyio

ACTOR = Actor()
STRANGER = Actor(organization_id="org-other")
OLDEST_FIRST = Page(ascending=True)


@pytest.fixture
async def archive(database: Database) -> Archive:
    """An archive that is stored."""
    made = plain_archive()
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, made)
    return made


async def test_an_archive_comes_back_as_it_was(database: Database, archive: Archive) -> None:
    bare = Archive(id="archive-x", name="bare", created_at=at(1))
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, bare)
        assert await archives.get(tx, archive.id) == archive
        assert await archives.get(tx, bare.id) == replace(bare, updated_at=at(1))
        assert await archives.get(tx, "archive-none") is None


async def test_an_archive_is_changed(database: Database, archive: Archive) -> None:
    changed = replace(archive, name="New", description=None, metadata=None, embedding=None)
    async with database.write(ACTOR) as tx:
        assert await archives.update(tx, changed)
        found = await archives.get(tx, archive.id)
        assert found is not None
        assert found.updated_at is not None
        assert found.updated_at > at(0)
        assert replace(found, updated_at=changed.updated_at) == changed
        assert not await archives.update(tx, plain_archive())


async def test_a_stranger_sees_and_changes_nothing(database: Database, archive: Archive) -> None:
    agent, passage = plain_agent(), plain_passage(archive, "text")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        await archives.attach(tx, agent.id, archive.id)
        await passages.insert(tx, [passage])
    async with database.write(STRANGER) as tx:
        assert await archives.get(tx, archive.id) is None
        assert await archives.attached(tx, agent.id) is None
        assert await archives.list_archives(tx, ArchiveFilter(), Page()) == []
        assert not await archives.update(tx, archive)
        assert not await archives.detach(tx, agent.id, archive.id)
        assert not await archives.delete(tx, archive.id)
        assert await passages.get(tx, passage.id) is None
        assert await passages.list_passages(tx, PassageFilter(), Page()) == []
        assert not await passages.delete(tx, passage.id)
    async with database.read(ACTOR) as tx:
        assert await archives.attached(tx, agent.id) == archive
        assert await passages.get(tx, passage.id) == passage


@pytest.mark.rule("api-6.70")
async def test_an_agent_has_one_archive(database: Database, archive: Archive) -> None:
    agent, other = plain_agent(), plain_archive("Other")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        await archives.insert(tx, other)
        assert await archives.attached(tx, agent.id) is None
        assert await archives.attach(tx, agent.id, archive.id)
        assert not await archives.attach(tx, agent.id, archive.id)
        assert not await archives.attach(tx, "agent-none", archive.id)
        with pytest.raises(ArchiveAttached):
            await archives.attach(tx, agent.id, other.id)
        assert await archives.attached(tx, agent.id) == archive
        assert await archives.detach(tx, agent.id, archive.id)
        assert not await archives.detach(tx, agent.id, archive.id)
        assert await archives.attach(tx, agent.id, other.id)


@pytest.mark.rule("api-14.4")
async def test_an_agents_archive_is_made_once_however_many_ask(database: Database) -> None:
    agent = replace(plain_agent("Ada"), embedding=EMBEDDING)
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)

    async def ask() -> Archive:
        async with database.write(ACTOR) as tx:
            await asyncio.sleep(0)
            found = await archives.of_agent(tx, agent)
            await asyncio.sleep(0)
            return found

    found = await asyncio.gather(*(ask() for _ in range(6)))
    assert len({archive.id for archive in found}) == 1
    assert (found[0].name, found[0].embedding) == ("Ada", EMBEDDING)
    async with database.read(ACTOR) as tx:
        assert len(await archives.list_archives(tx, ArchiveFilter(), Page())) == 1


@pytest.mark.rule("api-14.1")
async def test_archives_are_listed(database: Database, archive: Archive) -> None:
    agent, other = plain_agent(), plain_archive("Other", minute=1)
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, other)
        await agents.insert(tx, agent)
        await archives.attach(tx, agent.id, other.id)
    async with database.read(ACTOR) as tx:
        assert await archives.list_archives(tx, ArchiveFilter(), Page()) == [other, archive]
        assert await archives.list_archives(tx, ArchiveFilter(name="Notes"), Page()) == [archive]
        one = ArchiveFilter(agent_id=agent.id)
        assert await archives.list_archives(tx, one, Page()) == [other]
        with pytest.raises(Missing):
            await archives.list_archives(tx, one, Page(before="archive-none"))


async def test_a_deleted_archive_takes_its_passages_along(
    database: Database, archive: Archive
) -> None:
    agent, passage = plain_agent(), plain_passage(archive, "text", tags=("t",))
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        await archives.attach(tx, agent.id, archive.id)
        await passages.insert(tx, [passage])
        assert await archives.delete(tx, archive.id)
        assert not await archives.delete(tx, archive.id)
        assert await archives.attached(tx, agent.id) is None
        assert await passages.get(tx, passage.id) is None
        assert await tx.fetch_value("SELECT COUNT(*) FROM passage_tags") == 0


async def test_a_passage_comes_back_as_it_was(database: Database, archive: Archive) -> None:
    """All but the vector, which only a search reads."""
    full = plain_passage(
        archive,
        "Größe\nzählt.",
        tags=("b", "a"),
        metadata={"k": [1]},
        created_by_id="user-a",
        last_updated_by_id="user-b",
    )
    bare = replace(plain_passage(archive, ""), vector=(0.1, 0.2, 0.3))
    async with database.write(ACTOR) as tx:
        first, second = await passages.insert(tx, [full, bare])
        assert first < second
        assert await passages.insert(tx, []) == []
        assert await passages.get(tx, full.id) == full
        assert await passages.get(tx, bare.id) == replace(bare, vector=None)
        assert await passages.delete(tx, full.id)
        assert not await passages.delete(tx, full.id)
        where = PassageFilter(archive_id=archive.id)
        assert [one.id for one in await passages.list_passages(tx, where, Page())] == [bare.id]


async def test_passages_are_stored_all_or_none(database: Database, archive: Archive) -> None:
    one = plain_passage(archive, "one")

    async def store() -> None:
        async with database.write(ACTOR) as tx:
            await passages.insert(tx, [one, plain_passage(archive, "two"), one])

    with pytest.raises(UniqueViolated):
        await store()
    async with database.read(ACTOR) as tx:
        assert await passages.list_passages(tx, PassageFilter(), Page()) == []


@pytest.mark.rule("api-14.4")
async def test_passages_are_found_by_each_filter(database: Database, archive: Archive) -> None:
    agent, other = plain_agent(), plain_archive("Other")
    tea = plain_passage(archive, "Likes TEA.", tags=("drink", "hot"), minute=1)
    wine = plain_passage(archive, "Likes wine.", tags=("drink",), minute=2)
    cats = plain_passage(other, "Likes cats.", minute=3)
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, other)
        await agents.insert(tx, agent)
        await archives.attach(tx, agent.id, archive.id)
        await passages.insert(tx, [wine, tea, cats])
    cases: list[tuple[PassageFilter, list[Passage]]] = [
        (PassageFilter(), [tea, wine, cats]),
        (PassageFilter(archive_id=other.id), [cats]),
        (PassageFilter(agent_id=agent.id), [tea, wine]),
        (PassageFilter(search="tea"), [tea]),
    ]
    async with database.read(ACTOR) as tx:
        for where, expected in cases:
            assert await found(tx, where) == expected, where
        after = Page(ascending=True, after=tea.id)
        assert await passages.list_passages(tx, PassageFilter(), after) == [wine, cats]


async def found(tx: Tx, where: PassageFilter) -> list[Passage]:
    return await passages.list_passages(tx, where, OLDEST_FIRST)
