"""What is said takes few bytes, and is read whatever way it was stored."""

from typing import Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe import ids
from eunoe.domain.messages import Text
from eunoe.domain.recall import MessageQuery
from eunoe.store import agents, lists, messages, search, steps
from eunoe.store.database import check, upgrade
from eunoe.store.db import Actor
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.packing import pack, unpack
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.sqlite import SqliteDatabase
from tests.store.samples import plain_agent

_ACTOR: Final = Actor()
_SENTENCE: Final = (
    "I remember that you moved to the small house by the lake last year, and that your neighbour "
    "still plays the trumpet before breakfast; should I look for a room where you can sleep?"
)


def body(text: str) -> bytes:
    return orjson.dumps({"content": [{"text": text, "type": "text"}]})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_packed_is_unpacked(text: str) -> None:
    assert unpack(pack(body(text))) == body(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_packing_makes_nothing_longer(text: str) -> None:
    assert len(pack(body(text))) <= len(body(text))


def test_two_sentences_take_two_thirds_of_their_text() -> None:
    assert len(pack(body(_SENTENCE))) < len(_SENTENCE) * 2 / 3


def test_what_would_take_long_is_left_as_it_is() -> None:
    long = body("again " * 20_000)
    assert pack(long) == long


@pytest.mark.anyio
@pytest.mark.parametrize("older", ["0020"], indirect=True)
async def test_what_was_stored_before_is_read_and_found(
    older: SqliteDatabase | PostgresqlDatabase,
) -> None:
    agent, step_id = plain_agent(), ids.new("step")
    said = [(ids.new("message"), "user", "Where is the trumpet?"), (ids.new("message"), "tool", "")]
    async with older.write(_ACTOR) as tx:
        await agents.insert(tx, agent)
        await lists.create(tx, agent.id)
        for seq, (message_id, role, text) in enumerate(said, 1):
            await tx.execute(
                "INSERT INTO messages (id, organization_id, agent_id, role, body_json, is_err,"
                " created_at) VALUES ($1, $2, $3, $4, $5, 0, 0)",
                message_id, tx.actor.organization_id, agent.id, role, body(text).decode(),
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO list_entries (list_id, message_seq) VALUES ($1, $2)", agent.id, seq
            )
        await tx.execute(
            "INSERT INTO message_texts (seq, organization_id, agent_id, conversation_id, role,"
            " text, created_at) VALUES (1, $1, $2, '', 'user', '', 0)"
            if tx.dialect == "sqlite"
            else "INSERT INTO message_texts (seq, organization_id, agent_id, conversation_id, role,"
            " text, created_at, words) VALUES (1, $1, $2, '', 'user', '', 0, 'trumpet:1A')",
            tx.actor.organization_id,
            agent.id,
        )
        if tx.dialect == "sqlite":
            await tx.execute(
                "INSERT INTO message_fts (rowid, scope, text) VALUES (1, $1, 'trumpet')",
                search.scope(agent.id),
            )
        await tx.execute(
            "INSERT INTO steps (id, organization_id, agent_id, status, body_json, created_at)"
            " VALUES ($1, $2, $3, 'success', $4, 0)",
            step_id, tx.actor.organization_id, agent.id, '{"tid": "t-1", "tags": ["good"]}',
        )  # fmt: skip
    await upgrade(older)
    assert await check(older) == []
    async with older.write(_ACTOR) as tx:
        listed = await messages.list_messages(tx, MessageFilter(agent_id=agent.id), MessagePage())
        assert [one.content for one in listed] == [(Text(text=text),) for _, _, text in said]
        query = MessageQuery(text="trumpet", agent_id=agent.id)
        assert [hit.message_id for hit in await search.find_messages(tx, query)] == [said[0][0]]
        waiting = await search.unembedded_messages(tx, agent.id, limit=9)
        assert waiting == [(1, "Where is the trumpet?")]
        step = await steps.get(tx, step_id)
        assert step is not None
        assert step.tags == ("good",)
        assert await agents.delete(tx, agent.id)
        assert await search.find_messages(tx, query) == []
