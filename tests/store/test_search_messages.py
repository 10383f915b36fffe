"""Search in what was said, on both engines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.messages import Message, Role, Text, ToolReturn
from eunoe.domain.recall import MessageQuery, QueryVector
from eunoe.store import agents, conversations, lists, messages, search
from eunoe.store.db import Actor, Database
from tests.store.meanings import HANDLE, asked, meaning
from tests.store.samples import at, plain_agent

pytestmark = pytest.mark.anyio

ACTOR: Final = Actor()


@dataclass(frozen=True)
class Talk:
    """An agent in a database, with shorthand for saying things and finding them again."""

    db: Database
    agent: Agent

    async def say(
        self, *said: tuple[Role, str], minute: int = 0, conversation_id: str | None = None
    ) -> list[int]:
        turns = [
            self.turn(role, text, minute=minute + n, conversation_id=conversation_id)
            for n, (role, text) in enumerate(said)
        ]
        return await self.put(turns)

    def turn(
        self, role: Role, text: str, *, minute: int = 0, conversation_id: str | None = None
    ) -> Message:
        result = ToolReturn(call_id="c", name="look_up", ok=True, output=text, time="")
        return Message(
            id=ids.new("message"),
            role=role,
            agent_id=self.agent.id,
            conversation_id=conversation_id,
            created_at=at(minute),
            content=() if role == "tool" else (Text(text=text),),
            returns=(result,) if role == "tool" else (),
        )

    async def put(self, turns: Sequence[Message]) -> list[int]:
        async with self.db.write(ACTOR) as tx:
            seqs = await lists.append(tx, turns[0].conversation_id or self.agent.id, turns)
            await search.index_messages(tx, turns, seqs)
        return seqs

    async def found(
        self, text: str = "", *, vector: QueryVector | None = None, **given: object
    ) -> list[str]:
        query = replace(MessageQuery(text=text, agent_id=self.agent.id), **given)
        async with self.db.read(ACTOR, long=True) as tx:
            return [hit.text for hit in await search.find_messages(tx, query, vector=vector)]


@pytest.fixture
async def talk(database: Database) -> Talk:
    agent = plain_agent()
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
    return Talk(database, agent)


@pytest.mark.rule("M30")
async def test_every_conversation_is_searched(talk: Talk) -> None:
    conversation_id = await _conversation(talk)
    await talk.say(("user", "My sister is Ann."), conversation_id=conversation_id)
    await talk.say(("user", "My sister called."), minute=5)
    assert len(await talk.found("sister")) == 2
    assert await talk.found("sister", conversation_id=conversation_id) == ["My sister is Ann."]


async def _conversation(talk: Talk) -> str:
    conversation = conversations.Conversation(
        id=ids.new("conversation"), agent_id=talk.agent.id, created_at=at(0), updated_at=at(0)
    )
    async with talk.db.write(ACTOR) as tx:
        await conversations.insert(tx, conversation)
    return conversation.id


@pytest.mark.rule("FIX-42", "M25")
async def test_roles_and_dates_come_before_the_limit(talk: Talk) -> None:
    crowd: list[tuple[Role, str]] = [("user", "tea tea tea")] * 250
    await talk.say(*crowd)
    await talk.say(("tool", "the price of tea is 3"), ("assistant", "tea costs 3"), minute=400)
    assert await talk.found("tea", roles=("tool",)) == ["the price of tea is 3"]
    assert await talk.found("tea", roles=("assistant",), limit=1) == ["tea costs 3"]
    assert set(await talk.found("tea", since=at(399), limit=2)) == {
        "the price of tea is 3",
        "tea costs 3",
    }
    assert await talk.found(roles=("tool",)) == ["the price of tea is 3"]
    assert await talk.found(until=at(249), since=at(249)) == ["tea tea tea"]


async def test_an_answer_is_found_by_its_question(talk: Talk) -> None:
    conversation_id = await _conversation(talk)
    await talk.say(("user", "Nice weather."), ("assistant", "Indeed."))
    await talk.say(
        ("user", "Where did you grow up?"),
        ("assistant", "In Bergen."),
        conversation_id=conversation_id,
    )
    await talk.say(("user", "Good night."), minute=9)
    assert await talk.found("grow up") == ["Where did you grow up?", "In Bergen."]
    assert await talk.found("grow up", roles=("assistant",)) == ["In Bergen."]
    assert await talk.found("grow up", roles=("tool",)) == []


async def test_speaker_and_day_are_found(talk: Talk) -> None:
    await talk.say(("user", "A walk in the woods."))
    later = replace(talk.turn("user", "A swim.", minute=60 * 24 * 40), name="Marlene")
    await talk.put([later])
    assert (await talk.found("march walk"))[0] == "A walk in the woods."
    assert await talk.found("What did Marlene do?", limit=1) == ["A swim."]
    assert await talk.found("April", limit=1) == ["A swim."]


async def test_messages_get_vectors_later(talk: Talk) -> None:
    seqs = await talk.say(("user", "Felines nap."), ("assistant", "Stocks fell."))
    async with talk.db.read(ACTOR) as tx:
        pending = await search.unembedded_messages(tx, talk.agent.id, limit=9)
    assert pending == [(seqs[1], "Stocks fell."), (seqs[0], "Felines nap.")]
    async with talk.db.write(ACTOR) as tx:
        vectors = [(seqs[0], meaning("cat")), (seqs[1], meaning("bank")), (10**9, meaning("x"))]
        await search.index_message_vectors(tx, HANDLE, vectors)
        assert await search.unembedded_messages(tx, talk.agent.id, limit=9) == []
    assert (await talk.found("cat", vector=asked("cat")))[0] == "Felines nap."
    assert await talk.found("cat", vector=asked("cat"), roles=("assistant",)) == ["Stocks fell."]
    async with talk.db.write(ACTOR) as tx:
        assert await agents.delete(tx, talk.agent.id)
        words = "message_fts" if tx.dialect == "sqlite" else "message_texts"
        for table in (words, "message_vectors"):
            assert await tx.fetch_value(f"SELECT COUNT(*) FROM {table}") == 0  # noqa: S608 -- our names


async def test_a_message_is_indexed_in_one_statement(talk: Talk) -> None:
    turns = [talk.turn("user", "Some tea?"), talk.turn("assistant", "Yes.", minute=1)]
    async with talk.db.write(ACTOR) as tx:
        seqs = await messages.insert(tx, turns)
        before = tx.statements
        await search.index_messages(tx, turns, seqs)
        assert tx.statements - before == 1
        before = tx.statements
        await search.index_messages(tx, [talk.turn("system", "You are Ada.")], [seqs[0]])
        assert tx.statements == before
        changed = replace(turns[0], content=(Text(text="Milk"),))
        await messages.rewrite(tx, changed)
        await search.index_messages(tx, [changed], seqs[:1])
    assert await talk.found("tea", limit=1) == []
    assert (await talk.found("milk"))[0] == "Milk"


async def test_others_do_not_find_what_was_said(talk: Talk) -> None:
    await talk.say(("user", "My secret is tea."))
    other = plain_agent("Bob")
    async with talk.db.write(ACTOR) as tx:
        await agents.insert(tx, other)
    assert await talk.found("secret", agent_id=other.id) == []
    assert await talk.found("secret", agent_id=None) == ["My secret is tea."]
    async with talk.db.read(Actor(organization_id=ids.new("organization"))) as tx:
        for agent_id in (talk.agent.id, None):
            query = MessageQuery(text="secret", agent_id=agent_id)
            assert await search.find_messages(tx, query) == []


async def test_a_long_span_of_days_is_no_trouble(talk: Talk) -> None:
    await talk.say(("user", "tea"))
    far = timedelta(days=365 * 900)
    assert await talk.found("tea", since=at(0) - far, until=at(0) + far) == ["tea"]
