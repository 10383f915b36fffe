"""Conversations as stored."""

from dataclasses import replace

import pytest

from eunoe import ids
from eunoe.domain.conversations import Conversation
from eunoe.store import agents, conversations
from eunoe.store.db import Actor, Database
from tests.store.samples import at, plain_agent

pytestmark = pytest.mark.anyio

ACTOR = Actor()


async def test_a_conversation_comes_back_as_it_was(database: Database) -> None:
    agent = plain_agent()
    full = Conversation(
        id=ids.new("conversation"),
        agent_id=agent.id,
        summary="About tea",
        model="mock/two",
        model_settings={"temperature": 0.1},
        last_message_at=at(4),
        created_by_id="user-a",
        last_updated_by_id="user-b",
        created_at=at(1),
        updated_at=at(2),
    )
    bare = Conversation(
        id=ids.new("conversation"), agent_id=agent.id, created_at=at(1), updated_at=at(1)
    )
    async with database.write(ACTOR) as tx:
        await agents.insert(tx, agent)
        for one in (full, bare):
            await conversations.insert(tx, one)
            assert await conversations.get(tx, one.id) == one
        assert await conversations.note_message(tx, bare.id, at=at(9))
        assert await conversations.get(tx, bare.id) == replace(bare, last_message_at=at(9))
    async with database.write(Actor(organization_id="org-other")) as tx:
        assert await conversations.get(tx, full.id) is None
        assert not await conversations.note_message(tx, full.id, at=at(11))
    async with database.read(ACTOR) as tx:
        assert await conversations.get(tx, full.id) == full
