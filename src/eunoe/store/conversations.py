"""Queries on conversations. Their messages are in `lists`, under the conversation's id."""

from datetime import datetime
from typing import Any, Final

from eunoe.domain.conversations import Conversation
from eunoe.store import codec
from eunoe.store.db import Row, Tx, from_micros, optional_micros, optional_time, to_micros

_PLAIN: Final = ("id", "agent_id", "summary", "model", "created_by_id", "last_updated_by_id")
_FIELDS: Final = (*_PLAIN, "model_settings_json", "last_message_at", "created_at", "updated_at")


async def insert(tx: Tx, conversation: Conversation) -> None:
    await tx.execute(
        f"INSERT INTO conversations ({', '.join(_FIELDS)}, organization_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        conversation.id,
        conversation.agent_id,
        conversation.summary,
        conversation.model,
        conversation.created_by_id,
        conversation.last_updated_by_id,
        codec.optional_json(conversation.model_settings),
        optional_micros(conversation.last_message_at),
        to_micros(conversation.created_at),
        to_micros(conversation.updated_at),
        tx.actor.organization_id,
    )


async def get(tx: Tx, conversation_id: str) -> Conversation | None:
    row = await tx.fetch_one(
        f"SELECT {', '.join(_FIELDS)} FROM conversations WHERE id = $1 AND organization_id = $2",
        conversation_id,
        tx.actor.organization_id,
    )
    return None if row is None else _read(row)


async def note_message(tx: Tx, conversation_id: str, *, at: datetime) -> None:
    """Set when something was last said in it, before the turn starts (api 11.10)."""
    await tx.execute(
        "UPDATE conversations SET last_message_at = $1 WHERE id = $2 AND organization_id = $3",
        to_micros(at),
        conversation_id,
        tx.actor.organization_id,
    )


def _read(row: Row) -> Conversation:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    return Conversation(
        **{name: stored[name] for name in _PLAIN},
        model_settings=codec.loads_object(stored["model_settings_json"]),
        last_message_at=optional_time(stored["last_message_at"]),
        created_at=from_micros(stored["created_at"]),
        updated_at=from_micros(stored["updated_at"]),
    )
