"""A list's entries name the messages of its window, whoever wrote them."""

from dataclasses import replace
from typing import Final

import pytest

from eunoe import ids
from eunoe.domain.messages import Message, Text
from eunoe.store import agents, lists, related
from eunoe.store.database import check, upgrade
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.sqlite import SqliteDatabase
from tests.store.samples import at, plain_agent

pytestmark = pytest.mark.anyio

_ACTOR: Final = Actor()
_NAMED: Final = "SELECT COUNT(*) FROM list_entries WHERE message_id IS NOT NULL"


def _said(agent_id: str, text: str) -> Message:
    return Message(
        id=ids.new("message"),
        role="user",
        agent_id=agent_id,
        content=(Text(text=text),),
        created_at=at(0),
    )


async def _window(tx: Tx, list_id: str) -> list[str]:
    return list(await related.of_one(tx, list_id, lists.WINDOW))


# Before it windows did not name their messages.
@pytest.mark.parametrize("older", ["0018"], indirect=True)
@pytest.mark.rule("L8")
async def test_an_upgrade_names_what_windows_hold(
    older: SqliteDatabase | PostgresqlDatabase,
) -> None:
    said = [_said("agent-1", text) for text in ("one", "two", "three")]
    async with older.write(_ACTOR) as tx:
        agent = replace(plain_agent(), id="agent-1")
        await agents.insert(tx, agent)
        await lists.create(tx, agent.id)
        for seq, (one, position) in enumerate(zip(said, (None, 3, 2), strict=True), 1):
            await tx.execute(
                "INSERT INTO messages (id, organization_id, agent_id, role, body_json, is_err,"
                " created_at) VALUES ($1, $2, $3, 'user', '{}', 0, 0)",
                one.id, tx.actor.organization_id, agent.id,
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO list_entries (list_id, message_seq, position) VALUES ($1, $2, $3)",
                agent.id, seq, position,
            )  # fmt: skip
    await upgrade(older)
    assert await check(older) == []
    async with older.write(_ACTOR) as tx:
        assert await _window(tx, "agent-1") == [said[2].id, said[1].id]
        assert await lists.entries(tx, ["agent-1"]) == {"agent-1": [(1, None), (2, 3), (3, 2)]}
        assert await tx.fetch_value(_NAMED) == 2
        (seq,) = await lists.append(tx, "agent-1", [_said("agent-1", "four")])
        assert seq == 4


@pytest.mark.rule("L8")
async def test_only_messages_of_the_window_are_named(database: Database) -> None:
    """Also those that a server of before wrote beside this one, without their ids."""
    agent = plain_agent()
    said = [_said(agent.id, text) for text in ("one", "two", "three")]
    named = [one.id for one in said]
    async with database.write(_ACTOR) as tx:
        await agents.insert(tx, agent)
        await lists.create(tx, agent.id)
        await lists.append(tx, agent.id, said)
        assert await tx.fetch_value(_NAMED) == 3
        await lists.evict(tx, agent.id, named[:1], summary=None)
        assert await _window(tx, agent.id) == named[1:]
        assert await tx.fetch_value(_NAMED) == 2
        assert await lists.arrange(tx, agent.id, [named[2], named[0]])
        assert await _window(tx, agent.id) == [named[2], named[0]]
        assert await tx.fetch_value(_NAMED) == 2
        await tx.execute("UPDATE list_entries SET message_id = NULL")
        assert await _window(tx, agent.id) == [named[2], named[0]]
