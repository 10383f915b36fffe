"""Queries on conversations. Their messages are in `lists`, under the conversation's id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from eunoe.domain.conversations import Conversation
from eunoe.store import codec, own
from eunoe.store.db import (
    Row,
    Tx,
    Value,
    among,
    from_micros,
    now_micros,
    optional_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

ArchiveStatus: TypeAlias = Literal["unarchived", "archived", "all"]

_PLAIN: Final = (
    "id", "agent_id", "summary", "description", "model", "context_window_limit", "created_by_id",
    "last_updated_by_id",
)  # fmt: skip
_OPTIONAL_TIMES: Final = ("archived_at", "last_message_at", "last_run_completion")
_TIMES: Final = ("created_at", "updated_at")
_FIELDS: Final = (*_PLAIN, *_OPTIONAL_TIMES, *_TIMES, "model_settings_json", "hidden")
_COLUMNS: Final = ", ".join(f"conversations.{name}" for name in _FIELDS)
_INSERT: Final = own.inserting("conversations", (*_FIELDS, "organization_id"))
# When it last spoke is the runs' to say: a PATCH beside one would put an old time back.
_CHANGEABLE: Final = tuple(
    name for name in _FIELDS[2:] if name not in {"created_at", "last_run_completion"}
)
_UPDATE: Final = (
    f"UPDATE conversations SET {', '.join(f'{n} = ${at}' for at, n in enumerate(_CHANGEABLE, 3))}"
    " WHERE id = $1 AND organization_id = $2"
)
_LISTING: Final = Listing(
    noun="conversation",
    table="conversations",
    columns=_COLUMNS,
    orders={"created_at": False, "last_run_completion": True, "last_message_at": True},
    unknown_cursor="missing",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """`summary_search` is a part of the summary, in its own case (api 11.2)."""

    agent_id: str | None = None
    summary_search: str | None = None
    archive_status: ArchiveStatus = "unarchived"


async def insert(tx: Tx, conversation: Conversation) -> None:
    await insert_many(tx, [conversation])


async def insert_many(tx: Tx, found: Sequence[Conversation]) -> None:
    """Store new conversations, in one statement."""
    rows = [_values(one) for one in found]
    await tx.execute_many(
        _INSERT, [(*(row[name] for name in _FIELDS), tx.actor.organization_id) for row in rows]
    )


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> list[Conversation]:
    """Return all conversations of the agents that are not deleted, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM conversations WHERE agent_id {among(tx, '$1')}"
        f" AND deleted_at IS NULL AND {unindexed('organization_id')} = $2"
        " ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return [_read(row) for row in rows]


async def get(tx: Tx, conversation_id: str, *, held: bool = False) -> Conversation | None:
    """Return a conversation that is not deleted.

    `held` keeps others from changing or deleting it until the commit.
    """
    row = await own.get(tx, _LISTING, conversation_id, held=held, also=" AND deleted_at IS NULL")
    return None if row is None else _read(row)


async def update(tx: Tx, conversation: Conversation) -> None:
    values = _values(conversation)
    await tx.execute(
        _UPDATE,
        conversation.id,
        tx.actor.organization_id,
        *(values[name] for name in _CHANGEABLE),
    )


async def delete(tx: Tx, conversation_id: str) -> bool:
    """Hide the conversation for good; its row stays, for its runs. Whether there was one."""
    return bool(
        await tx.execute(
            "UPDATE conversations SET deleted_at = $3"
            " WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL",
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
            " WHERE id = $2 AND organization_id = $3 AND deleted_at IS NULL",
            to_micros(at),
            conversation_id,
            tx.actor.organization_id,
        )
    )


async def list_conversations(tx: Tx, where: ConversationFilter, page: Page) -> list[Conversation]:
    """Return a page; raise `Missing` for an unknown cursor (api 5.6). Hidden ones are left out."""
    return [_read(row) for row in await listing(tx, _LISTING, _where(tx, where), page)]


def _where(tx: Tx, asked: ConversationFilter) -> Where:
    where = of_organization(tx, "conversations").add("conversations.deleted_at IS NULL")
    where.linked("conversations.agent_id = {}", asked.agent_id)
    if asked.summary_search is not None:
        found = "instr" if tx.dialect == "sqlite" else "strpos"
        where.add(f"{found}(conversations.summary, {{}}) > 0", asked.summary_search)
    if asked.archive_status != "all":
        there = "NOT NULL" if asked.archive_status == "archived" else "NULL"
        where.add(f"conversations.archived_at IS {there}")
    return where.add("(conversations.hidden IS NULL OR conversations.hidden = 0)")


def _values(conversation: Conversation) -> dict[str, Value]:
    return {
        **{name: getattr(conversation, name) for name in _PLAIN},
        **{name: optional_micros(getattr(conversation, name)) for name in _OPTIONAL_TIMES},
        **{name: to_micros(getattr(conversation, name)) for name in _TIMES},
        "model_settings_json": codec.optional_json(conversation.model_settings),
        "hidden": codec.flag(conversation.hidden),
    }


def _read(row: Row) -> Conversation:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    return Conversation(
        **{name: stored[name] for name in _PLAIN},
        model_settings=codec.loads_object(stored["model_settings_json"]),
        hidden=codec.truth(stored["hidden"]),
        archived_at=optional_time(stored["archived_at"]),
        last_message_at=optional_time(stored["last_message_at"]),
        last_run_completion=optional_time(stored["last_run_completion"]),
        created_at=from_micros(stored["created_at"]),
        updated_at=from_micros(stored["updated_at"]),
    )
