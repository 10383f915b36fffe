"""Search in archives, on both engines."""

import random
import time
from dataclasses import dataclass, replace
from typing import Final

import pytest

from eunoe import ids
from eunoe.domain.passages import Archive, Passage, PassageHit
from eunoe.domain.recall import PassageQuery, QueryVector
from eunoe.store import archives, passages, search
from eunoe.store.db import Actor, Database
from tests.store.meanings import DIMENSIONS, HANDLE, asked, meaning
from tests.store.samples import EMBEDDING, at, plain_archive, plain_passage

pytestmark = pytest.mark.anyio

ACTOR: Final = Actor()


@dataclass(frozen=True)
class Shelf:
    """An archive in a database, with shorthand for filling and searching it."""

    db: Database
    archive: Archive

    async def put(self, *given: Passage) -> None:
        async with self.db.write(ACTOR) as tx:
            await passages.insert(tx, given)

    async def texts(self, *texts: str) -> None:
        await self.put(*(plain_passage(self.archive, text) for text in texts))

    async def find(
        self, text: str = "", *, vector: QueryVector | None = None, **given: object
    ) -> list[PassageHit]:
        query = replace(PassageQuery(text=text, archive_id=self.archive.id), **given)
        async with self.db.read(ACTOR, long=True) as tx:
            return await search.find_passages(tx, query, vector=vector)

    async def found(
        self, text: str = "", *, vector: QueryVector | None = None, **given: object
    ) -> list[str]:
        return [hit.passage.text for hit in await self.find(text, vector=vector, **given)]


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    archive = plain_archive()
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, archive)
    return Shelf(database, archive)


async def test_words_are_found_by_their_stem(shelf: Shelf) -> None:
    await shelf.texts("The cats were sleeping.", "A dog barked.", "Café Müller opens at nine.")
    assert await shelf.found("sleeping cat") == ["The cats were sleeping."]
    assert await shelf.found("cafe muller") == ["Café Müller opens at nine."]
    assert await shelf.found("elephant") == []


async def test_scripts_without_spaces_are_found(shelf: Shelf) -> None:
    await shelf.texts("彼女は東京タワーが好きです", "大阪城に行きました")
    assert await shelf.found("東京") == ["彼女は東京タワーが好きです"]
    assert await shelf.found("城") == ["大阪城に行きました"]


async def test_meaning_finds_what_words_do_not(shelf: Shelf) -> None:
    near = replace(plain_passage(shelf.archive, "Felines nap."), vector=meaning("sleeping cat"))
    far = replace(plain_passage(shelf.archive, "Stocks fell."), vector=meaning("bank market"))
    await shelf.put(near, far)
    hits = await shelf.find("sleeping cat", vector=asked("sleeping cat"))
    assert [hit.passage.text for hit in hits] == ["Felines nap.", "Stocks fell."]
    assert hits[0].vector_rank == 1
    assert hits[0].text_rank is None
    assert hits[0].passage.vector is None
    assert hits[0].passage.embedding == EMBEDDING


async def test_a_passage_without_a_vector_is_found_by_its_words(shelf: Shelf) -> None:
    seen = replace(plain_passage(shelf.archive, "Stocks fell."), vector=meaning("bank"))
    await shelf.put(seen, plain_passage(shelf.archive, "The heron stood still."))
    hits = await shelf.find("heron", vector=asked("heron"))
    assert hits[0].passage.text == "The heron stood still."


async def test_vectors_of_another_embedder_or_length_are_not_compared(shelf: Shelf) -> None:
    await shelf.put(replace(plain_passage(shelf.archive, "Felines nap."), vector=meaning("cat")))
    other = QueryVector(embedder="other/one", values=meaning("cat"))
    longer = QueryVector(embedder=HANDLE, values=(*meaning("cat"), 0.5))
    nothing = QueryVector(embedder=HANDLE, values=(0.0,) * DIMENSIONS)
    for vector_ in (other, longer, nothing):
        assert await shelf.found("cat", vector=vector_) == []
    assert await shelf.found("cat", vector=asked("cat")) == ["Felines nap."]


@pytest.mark.rule("FIX-39")
async def test_filters_come_before_the_limit(shelf: Shelf) -> None:
    """A hundred better matches without the tag do not push the only one with it out."""
    crowd = [plain_passage(shelf.archive, "tea tea tea", minute=n) for n in range(300)]
    late = plain_passage(shelf.archive, "Some tea, at last, after a long walk.", minute=900)
    await shelf.put(*crowd, replace(late, tags=("rare", "walk")))
    assert await shelf.found("tea", tags=("rare",), limit=1) == [late.text]
    assert await shelf.found("tea", since=at(800), limit=1) == [late.text]
    assert await shelf.found(tags=("rare",), limit=1) == [late.text]
    assert await shelf.found("tea", vector=asked("tea"), tags=("rare",), limit=1) == [late.text]


async def test_tags_are_any_or_all(shelf: Shelf) -> None:
    given = (("one", ("a",)), ("two", ("a", "b")), ("three", ("c",)))
    await shelf.put(*(plain_passage(shelf.archive, text, tags=tags) for text, tags in given))
    assert sorted(await shelf.found(tags=("a", "b"))) == ["one", "two"]
    assert await shelf.found(tags=("b", "a", "a"), tag_match="all") == ["two"]
    assert await shelf.found(tags=("none",)) == []


async def test_both_bounds_are_inclusive(shelf: Shelf) -> None:
    await shelf.put(*(plain_passage(shelf.archive, f"tea {n}", minute=n) for n in range(4)))
    assert await shelf.found(since=at(1), until=at(2)) == ["tea 2", "tea 1"]
    assert sorted(await shelf.found("tea", since=at(1), until=at(2))) == ["tea 1", "tea 2"]


async def test_a_blank_query_lists_the_newest_first(shelf: Shelf) -> None:
    await shelf.put(*(plain_passage(shelf.archive, f"{n}", minute=n) for n in range(8)))
    assert await shelf.found("  ", limit=3) == ["7", "6", "5"]


@pytest.mark.parametrize(
    "text",
    [
        'tea" OR "x',
        "tea* NEAR(x, 2)",
        "text:tea AND NOT scope:x",
        "{tea} ^tea + - ( ) ' \\ ;",
        "'; DROP TABLE passages; -- tea",
        "tea & ! | <-> :*",
        "🎉🎉 tea \x00 \ud800",
        "_ tea _",
        "tea between above, against or below the down",
        "tea " + "x" * 1_000_000,
        "tea " * 250_000,
    ],
)
async def test_a_query_is_never_syntax(shelf: Shelf, text: str) -> None:
    await shelf.texts("A cup of tea.", "Nothing of the kind.")
    assert "A cup of tea." in await shelf.found(text)


@pytest.mark.parametrize("text", ["🎉", "_", '"', "' OR 1=1", "\ud800", "𞤀𞤣𞤤𞤢𞤥"])
async def test_a_query_without_known_words_finds_nothing(shelf: Shelf, text: str) -> None:
    await shelf.texts("A cup of tea.", "Nothing of the kind.")
    assert await shelf.found(text) == []


async def test_a_search_stays_in_its_archive_and_organization(shelf: Shelf) -> None:
    other = plain_archive("Other")
    async with shelf.db.write(ACTOR) as tx:
        await archives.insert(tx, other)
    mine = replace(plain_passage(shelf.archive, "my tea"), vector=meaning("tea"))
    theirs = replace(plain_passage(other, "other tea"), vector=meaning("tea"))
    await shelf.put(mine, theirs)
    assert await shelf.found("tea", vector=asked("tea")) == ["my tea"]
    assert sorted(await shelf.found("tea", vector=asked("tea"), archive_id=None)) == [
        "my tea",
        "other tea",
    ]
    stranger = Actor(organization_id=ids.new("organization"))
    async with shelf.db.read(stranger) as tx:
        for archive_id in (shelf.archive.id, None):
            query = PassageQuery(text="tea", archive_id=archive_id)
            assert await search.find_passages(tx, query, vector=asked("tea")) == []
            assert await search.find_passages(tx, replace(query, text="")) == []


async def test_what_is_deleted_is_not_found(shelf: Shelf) -> None:
    gone = replace(plain_passage(shelf.archive, "gone tea"), vector=meaning("tea"))
    hidden = replace(plain_passage(shelf.archive, "hidden tea"), vector=meaning("tea"))
    await shelf.put(gone, hidden)
    async with shelf.db.write(ACTOR) as tx:
        assert await passages.delete(tx, gone.id)
        seq = await tx.fetch_value("SELECT seq FROM passages WHERE id = $1", hidden.id)
        await search.unindex_passages(tx, [seq])
    assert await shelf.found("tea", vector=asked("tea")) == []
    async with shelf.db.write(ACTOR) as tx:
        await search.index_passages(tx, [hidden], [seq])
        await search.index_passages(tx, [replace(hidden, text="new words")], [seq])
    assert await shelf.found("words") == ["hidden tea"]
    assert await shelf.found("tea") == []
    async with shelf.db.write(ACTOR) as tx:
        assert await archives.delete(tx, shelf.archive.id)
        await archives.insert(tx, shelf.archive)
        tables = ["passage_vectors"]
        tables += ["passage_codes", "passage_fts"] if tx.dialect == "sqlite" else ["passage_texts"]
        for table in tables:
            assert await tx.fetch_value(f"SELECT COUNT(*) FROM {table}") == 0  # noqa: S608 -- our names


@pytest.mark.rule("FIX-43")
async def test_planted_evidence_is_found(shelf: Shelf) -> None:
    """Each of thirty facts among five hundred texts is among the first five, however asked."""
    noise = random.Random(7)  # noqa: S311 -- repeatable noise
    words = [f"word{number}" for number in range(400)]
    names = [f"person{number}" for number in range(30)]
    crowd = [" ".join(noise.choices(words, k=30)) for _ in range(470)]
    facts = [f"{name} told me that the key lies under flowerpot {name[6:]}." for name in names]
    texts = crowd + facts
    noise.shuffle(texts)
    await shelf.put(
        *(replace(plain_passage(shelf.archive, text), vector=meaning(text)) for text in texts)
    )
    for name, fact in zip(names, facts, strict=True):
        question = f"Where did {name} say that the keys are?"
        assert fact in await shelf.found(question)
        assert fact in await shelf.found(question, vector=asked(question))
        assert fact in await shelf.found(vector=asked(fact))


@pytest.mark.slow
async def test_ten_thousand_passages_are_searched_in_time(shelf: Shelf) -> None:
    """A loose bound against a plan that reads everything many times; `make bench` measures."""
    noise = random.Random(7)  # noqa: S311 -- repeatable noise
    words = [f"word{number}" for number in range(3_000)]
    pool = [meaning(" ".join(noise.choices(words, k=20))) for _ in range(100)]
    for _ in range(10):
        texts = (" ".join(noise.choices(words, k=30)) for _ in range(1_000))
        await shelf.put(
            *(
                replace(plain_passage(shelf.archive, text), vector=noise.choice(pool))
                for text in texts
            )
        )
    times: list[float] = []
    for _ in range(9):
        query = " ".join(noise.choices(words, k=5))
        began = time.perf_counter()
        assert len(await shelf.found(query, vector=asked(query))) == 5
        times.append(time.perf_counter() - began)
    assert sorted(times)[4] < 0.5
