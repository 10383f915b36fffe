"""An agent's searches over the store, and the vectors that come later."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.messages import Message, Role, Text
from eunoe.domain.models import EmbeddingConfig
from eunoe.domain.recall import MessageQuery, PassageQuery
from eunoe.errors import EmbeddingUnknown, ModelTimedOut
from eunoe.runs.recall import StoreRecall, embed_pending
from eunoe.service.pending import PendingPassages
from eunoe.store import agents, archives, messages, passages, search
from eunoe.store.db import Actor, Database
from eunoe.testing.vectors import vector
from tests.store.samples import EMBEDDING, at, plain_agent, plain_archive, plain_passage

pytestmark = pytest.mark.anyio

ACTOR = Actor()
DIMENSIONS = 64


class Embedding:
    """Knows that a feline is a cat; fails while `down`."""

    def __init__(self) -> None:
        self.down = False
        self.batches: list[int] = []

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[tuple[float, ...]]:
        if self.down:
            raise ModelTimedOut
        self.batches.append(len(texts))
        return [
            tuple(vector(text.lower().replace("felines", "cats"), dimensions=DIMENSIONS))
            for text in texts
        ]


class Shelf:
    """Serves one embedder, to every organization."""

    def __init__(self, embedder: Embedding | None, *handles: str) -> None:
        self._embedder = embedder
        self._handles = handles or (EMBEDDING.handle,)

    def of(self, organization_id: str) -> Any:
        assert organization_id == ACTOR.organization_id
        return self

    def embedder_for(self, config: EmbeddingConfig) -> Embedding:
        if self._embedder is None or config.handle not in self._handles:
            raise EmbeddingUnknown
        return self._embedder


@pytest.fixture
async def agent(database: Database) -> Agent:
    agent = replace(plain_agent(), embedding=replace(EMBEDDING, batch_size=4))
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
    return agent


async def say(db: Database, agent: Agent, *texts: str) -> None:
    roles: tuple[Role, Role] = ("user", "assistant")
    turns = [
        Message(
            id=ids.new("message"),
            role=roles[n % 2],
            agent_id=agent.id,
            created_at=at(n),
            content=(Text(text=text),),
        )
        for n, text in enumerate(texts)
    ]
    async with db.write(ACTOR) as tx:
        await search.index_messages(tx, turns, await messages.insert(tx, turns))


def recall(db: Database, agent: Agent, embedder: Embedding | None) -> StoreRecall:
    return StoreRecall(
        db=db, actor=ACTOR, agent=agent, models=Shelf(embedder).of(ACTOR.organization_id)
    )


@pytest.mark.rule("M30", "FIX-43")
async def test_what_was_said_is_found_by_words_and_with_an_embedder_by_meaning(
    database: Database, agent: Agent
) -> None:
    embedder = Embedding()
    await say(database, agent, "Felines nap.", "Ships sail.", "Markets fell.", "Rain came.")
    assert await recall(database, agent, None).conversations(MessageQuery(text="cats")) == []
    assert await embed_pending(database, ACTOR, agent, embedder, most=3) == 3
    found = await recall(database, agent, embedder).conversations(MessageQuery(text="cats"))
    assert found[0].text == "Felines nap."
    assert await embed_pending(database, ACTOR, agent, embedder) == 0
    words = await recall(database, agent, None).conversations(MessageQuery(text="nap"))
    assert words[0].text == "Felines nap."


async def test_a_search_is_always_the_agents_own(database: Database, agent: Agent) -> None:
    other = plain_agent("Bob")
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, other)
    await say(database, other, "Bob's secret.")
    own = recall(database, agent, None)
    assert await own.conversations(MessageQuery(text="secret", agent_id=other.id)) == []
    assert await own.conversations(MessageQuery()) == []


async def test_an_agent_without_an_archive_finds_nothing(database: Database, agent: Agent) -> None:
    assert await recall(database, agent, Embedding()).archive(PassageQuery(text="tea")) == []


@pytest.mark.rule("FIX-43")
async def test_passages_wait_for_the_embedder(database: Database, agent: Agent) -> None:
    archive = replace(plain_archive(), embedding=agent.embedding)
    wordy = replace(plain_archive(), embedding=None)
    texts = ["Felines nap.", *(f"Note {number}." for number in range(9))]
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, archive)
        await archives.attach(tx, agent.id, archive.id)
        await archives.insert(tx, wordy)
        await passages.insert(tx, [plain_passage(archive, text) for text in texts])
        await passages.insert(tx, [plain_passage(wordy, "Found by its words.")])
    embedder = Embedding()
    embedder.down = True
    own = recall(database, agent, embedder)
    assert [hit.passage.text for hit in await own.archive(PassageQuery(text="nap"))] == texts[:1]
    duty = PendingPassages(db=database, models=Shelf(embedder)).duty()
    pending = await duty.pending()
    assert pending == [f"{ACTOR.organization_id} {archive.id}"]
    with pytest.raises(ModelTimedOut):
        await duty.carry_out(pending[0])
    gone = PendingPassages(db=database, models=Shelf(embedder, "mock/other")).duty()
    await gone.carry_out(pending[0])
    assert await gone.pending() == pending
    embedder.down = False
    await duty.carry_out(pending[0])
    assert embedder.batches == [4, 4, 2]
    assert await duty.pending() == []
    assert (await own.archive(PassageQuery(text="cats")))[0].passage.text == texts[0]


@pytest.mark.rule("M21", "M22")
async def test_an_archive_is_filled_and_searched_with_its_own_embedder(
    database: Database, agent: Agent
) -> None:
    embedding = replace(EMBEDDING, handle="mock/other")
    archive = replace(plain_archive(), embedding=embedding)
    async with database.write(ACTOR) as tx:
        await archives.insert(tx, archive)
        await archives.attach(tx, agent.id, archive.id)
        await passages.insert(tx, [plain_passage(archive, "Felines nap.")])
    embedder = Embedding()
    assert await embed_pending(database, ACTOR, archive, embedder) == 1
    models = Shelf(embedder, embedding.handle).of(ACTOR.organization_id)
    own = StoreRecall(db=database, actor=ACTOR, agent=agent, models=models)
    assert [hit.vector_rank for hit in await own.archive(PassageQuery(text="cats"))] == [1]
    kept = await own.vector_to_keep("Ships sail.")
    assert kept is not None
    assert kept.embedder == embedding.handle
    embedder.down = True
    assert await own.vector_to_keep("Rain came.") is None


async def test_an_agent_without_an_embedding_has_nothing_to_embed(
    database: Database, agent: Agent
) -> None:
    await say(database, agent, "Hello.")
    plain = replace(agent, embedding=None)
    assert await embed_pending(database, ACTOR, plain, Embedding()) == 0
    found = await recall(database, plain, Embedding()).conversations(MessageQuery(text="hello"))
    assert [hit.vector_rank for hit in found] == [None]
