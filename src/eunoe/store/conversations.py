"""Queries on conversations. Their messages are in `lists`, under the conversation's id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from eunoe.domain.conversations import Conversation
from eunoe.store import codec, own
from eunoe.store.db import Tx, among, now_micros, to_micros, unindexed
from eunoe.store.mapping import CHANGED, FLAG, OBJECT, TIME, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where, of_organization

ArchiveStatus: TypeAlias = Literal["unarchived", "archived", "all"]

_CONVERSATIONS: Final = mapped(
    Conversation,
    "conversations",
    noun="conversation",
    kept={
        **CHANGED,
        "archived_at": TIME,
        "last_message_at": TIME,
        "last_run_completion": TIME,
        "model_settings": OBJECT,
        "hidden": FLAG,
    },
    orders={"created_at": False, "last_run_completion": True, "last_message_at": True},
    unknown_cursor="missing",
)
_ALIVE: Final = " AND deleted_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """`summary_search` is a part of the summary, in its own case (api 11.2)."""

    agent_id: str | None = None
    summary_search: str | None = None
    archive_status: ArchiveStatus = "unarchived"


async def insert(tx: Tx, conversation: Conversation) -> None:
    await own.insert(tx, _CONVERSATIONS, conversation)


async def insert_many(tx: Tx, found: Sequence[Conversation]) -> None:
    """Store new conversations, in one statement."""
    await own.insert_many(tx, _CONVERSATIONS, found)


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> list[Conversation]:
    """Return all conversations of the agents that are not deleted, oldest first."""
    return await own.select(
        tx,
        _CONVERSATIONS,
        f"WHERE agent_id {among(tx, '$1')}{_ALIVE} AND {unindexed('organization_id')} = $2"
        " ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )


async def get(tx: Tx, conversation_id: str, *, held: bool = False) -> Conversation | None:
    """Return a conversation that is not deleted.

    `held` keeps others from changing or deleting it until the commit.
    """
    return await own.get(tx, _CONVERSATIONS, conversation_id, held=held, also=_ALIVE)


async def update(tx: Tx, conversation: Conversation) -> None:
    # When it last spoke is the runs' to say: a PATCH beside one would put an old time back.
    kept = ("agent_id", "created_at", "last_run_completion")
    await own.update(tx, _CONVERSATIONS, conversation, but=kept)


async def delete(tx: Tx, conversation_id: str) -> bool:
    """Hide the conversation for good; its row stays, for its runs. Whether there was one."""
    return bool(
        await tx.execute(
            "UPDATE conversations SET deleted_at = $3"
            f" WHERE id = $1 AND organization_id = $2{_ALIVE}",
            conversation_id,
            tx.actor.organization_id,
            now_micros(),
        )
    )


async def note_message(tx: Tx, conversation_id: str, *, at: datetime) -> bool:
    """Set when something was last said in it, before the turn starts (api 11.10).

    Whether there is such a conversation; then nobody can delete it before the commit.
    """
    return bool(
        await tx.execute(
            "UPDATE conversations SET last_message_at = $1"
            f" WHERE id = $2 AND organization_id = $3{_ALIVE}",
            to_micros(at),
            conversation_id,
            tx.actor.organization_id,
        )
    )


async def list_conversations(tx: Tx, where: ConversationFilter, page: Page) -> list[Conversation]:
    """Return a page; raise `Missing` for an unknown cursor (api 5.6). Hidden ones are left out."""
    return await own.page(tx, _CONVERSATIONS, _where(tx, where), page)


def _where(tx: Tx, asked: ConversationFilter) -> Where:
    where = of_organization(tx, "conversations").add("conversations.deleted_at IS NULL")
    where.linked("conversations.agent_id = {}", asked.agent_id)
    if asked.summary_search is not None:
        found = "instr" if tx.dialect == "sqlite" else "strpos"
        where.add(f"{found}(conversations.summary, {{}}) > 0", asked.summary_search)
    if asked.archive_status != "all":
        there = "NOT NULL" if asked.archive_status == "archived" else "NULL"
        where.add(f"conversations.archived_at IS {there}")
    return where.shown("conversations")
