"""Queries on stored messages: written once, read by id, listed in the order they were said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from eunoe.domain.messages import Answer, Message, Part, Role, ToolCall, ToolReturn
from eunoe.domain.recall import spoken
from eunoe.errors import Missing
from eunoe.store.codec import Reader, encode, told
from eunoe.store.db import Row, Tx, Value, among, from_micros, to_micros, unindexed
from eunoe.store.packing import pack, unpack
from eunoe.store.where import of_organization

COLUMNS: Final = (
    "messages.seq, messages.id, messages.agent_id, messages.conversation_id, messages.role, "
    "messages.body, messages.model, messages.name, messages.otid, messages.sender_id, "
    "messages.group_id, messages.step_id, messages.run_id, messages.is_err, messages.created_at"
)
_INSERT: Final = (
    "INSERT INTO messages (id, organization_id, agent_id, conversation_id, role, body, model,"
    " name, otid, sender_id, group_id, step_id, run_id, is_err, created_at, findable)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    content: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    returns: tuple[ToolReturn, ...] = ()
    approvals: tuple[Answer, ...] = ()
    request_id: str | None = None
    order: tuple[str, ...] = ()


_body: Final = Reader(_Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """A stretch of a list by absolute place: `after` is newer, `before` older (api 5.7).

    `newest` says which end the `limit` rows come from; rows are returned oldest
    first, and each route shows them as its list wants.
    """

    limit: int = 100
    before: str | None = None
    after: str | None = None
    newest: bool = True
    unknown_cursor: Literal["ignored", "missing"] = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """`conversation_id` may be `default`: what was said outside any conversation."""

    agent_id: str | None = None
    conversation_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    group_id: str | None = None
    batch_id: str | None = None


async def insert(tx: Tx, messages: Sequence[Message]) -> list[int]:
    """Store `messages` in order; return their places in the order of everything said."""
    insert_one = f"{_INSERT} RETURNING seq"
    return [await tx.fetch_value(insert_one, *_values(tx, message)) for message in messages]


async def insert_many(tx: Tx, messages: Sequence[Message]) -> dict[str, int]:
    """Store many messages in order, in two statements; return their places by id."""
    if not messages:
        return {}
    await tx.execute_many(_INSERT, [_values(tx, message) for message in messages])
    rows = await tx.fetch(
        f"SELECT id, seq FROM messages WHERE id {among(tx, '$1')}",
        encode([message.id for message in messages]),
    )
    return {row[0]: row[1] for row in rows}


async def placed(tx: Tx, where: str, *args: Value) -> list[tuple[int, Message]]:
    """Return the messages of which `where` holds, with their places; it says whose they are."""
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM messages WHERE {where}", *args)
    return [(row[0], from_row(row)) for row in rows]


async def of_agent(
    tx: Tx, agent_id: str, *, after_seq: int, limit: int
) -> list[tuple[int, Message]]:
    """Return what the agent has stored past a place, in the order it was said, with its places."""
    return await placed(
        tx,
        f"agent_id = $1 AND seq > $2 AND {unindexed('organization_id')} = $3 ORDER BY seq LIMIT $4",
        agent_id,
        after_seq,
        tx.actor.organization_id,
        limit,
    )


async def rewrite(tx: Tx, message: Message) -> None:
    """Put new content into a stored message, which keeps its id and place (L23)."""
    await tx.execute(
        "UPDATE messages SET body = $1 WHERE id = $2 AND organization_id = $3",
        _packed(message),
        message.id,
        tx.actor.organization_id,
    )


async def get(tx: Tx, message_id: str) -> Message | None:
    return (await many(tx, [message_id])).get(message_id)


async def many(tx: Tx, message_ids: Sequence[str]) -> dict[str, Message]:
    """Return the messages with these ids, by id; unknown ids are left out."""
    found = await placed(
        tx,
        f"id {among(tx, '$1')} AND {unindexed('organization_id')} = $2",
        encode(list(message_ids)),
        tx.actor.organization_id,
    )
    return {message.id: message for _, message in found}


async def of_run(tx: Tx, run_id: str) -> list[Message]:
    """Return all that was said in a run, in order, whether it is in a window or not."""
    own = f"run_id = $1 AND {unindexed('organization_id')} = $2 ORDER BY seq"
    return [said for _, said in await placed(tx, own, run_id, tx.actor.organization_id)]


async def list_messages(tx: Tx, where: MessageFilter, page: MessagePage) -> list[Message]:
    """Return the page's messages, oldest first; raise `Missing` where a cursor has to be known."""
    asked = of_organization(tx, "messages")
    for column, value in (
        ("agent_id", where.agent_id),
        ("run_id", where.run_id),
        ("step_id", where.step_id),
        ("group_id", where.group_id),
    ):
        asked.linked(f"messages.{column} = {{}}", value)
    asked.linked(
        "messages.run_id IN (SELECT run_id FROM batch_items WHERE batch_id = {})", where.batch_id
    )
    joined = ""
    if where.conversation_id == "default":
        asked.add("messages.conversation_id IS NULL")
    elif where.conversation_id is not None:
        joined = "JOIN list_entries ON list_entries.message_seq = messages.seq"
        asked.linked("list_entries.list_id = {}", where.conversation_id)
    for cursor, sign in ((page.after, ">"), (page.before, "<")):
        if cursor is None:
            continue
        seq = await _seq(tx, cursor)
        if seq is not None:
            asked.add(f"messages.seq {sign} {{}}", seq)
        elif page.unknown_cursor == "missing":
            raise Missing(f"There is no message {cursor} to page from.")
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM messages {joined} WHERE {asked.sql}"
        f" ORDER BY messages.seq {'DESC' if page.newest else 'ASC'}"
        f" LIMIT {asked.bound(page.limit or 1000)}",
        *asked.args,
    )
    found = [from_row(row) for row in rows]
    if page.newest:
        found.reverse()
    return found


async def between(tx: Tx, *, after_id: str | None, upto_id: str, limit: int) -> list[Message]:
    """Return what the agent of message `upto_id` said and heard after the one, up to the other.

    At most `limit` messages, the newest, oldest first. From the very first on where `after_id`
    is null or gone.
    """
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM messages JOIN messages AS last ON last.agent_id = messages.agent_id"
        " WHERE last.id = $1 AND last.organization_id = $2 AND messages.seq <= last.seq"
        " AND messages.seq > COALESCE((SELECT seq FROM messages WHERE id = $3), 0)"
        " ORDER BY messages.seq DESC LIMIT $4",
        upto_id,
        tx.actor.organization_id,
        after_id,
        limit,
    )
    return [from_row(row) for row in reversed(rows)]


async def unheard(tx: Tx, group_id: str, *, by: str, limit: int) -> list[Message]:
    """Return what people and other agents said in the group since the agent's last turn (G5).

    At most `limit` messages, the newest, oldest first. A person's message stands in the lists
    of all that have heard it, under one otid, and comes once.
    """
    said = await placed(
        tx,
        f"group_id = $1 AND {unindexed('organization_id')} = $2 AND agent_id <> $3"
        " AND role IN ('user', 'assistant') AND seq > COALESCE((SELECT MAX(seq) FROM messages"
        " WHERE group_id = $1 AND agent_id = $3 AND role = 'assistant'), 0)"
        " ORDER BY seq DESC LIMIT $4",
        group_id,
        tx.actor.organization_id,
        by,
        limit,
    )
    heard = await tx.fetch(
        "SELECT otid FROM messages WHERE group_id = $1 AND agent_id = $2 AND role = 'user'",
        group_id,
        by,
    )
    known = {row[0] for row in heard}
    found: list[Message] = []
    for _, message in reversed(said):
        if message.role == "assistant" or message.otid not in known:
            found.append(message)
        known.add(message.otid)
    return found


async def last_speaker(tx: Tx, group_id: str, *, but: str | None) -> str | None:
    """Return the id of the agent that said something in the group last, `but` one."""
    found: str | None = await tx.fetch_value(
        "SELECT agent_id FROM messages WHERE group_id = $1 AND role = 'assistant'"
        " AND agent_id <> $2 ORDER BY seq DESC LIMIT 1",
        group_id,
        but or "",
    )
    return found


async def lists_of_group(tx: Tx, group_id: str) -> list[str]:
    """Return the message lists in which something was said in the group."""
    rows = await tx.fetch(
        "SELECT DISTINCT list_entries.list_id FROM list_entries"
        " JOIN messages ON messages.seq = list_entries.message_seq WHERE messages.group_id = $1"
        f" AND {unindexed('messages.organization_id')} = $2 ORDER BY list_entries.list_id",
        group_id,
        tx.actor.organization_id,
    )
    return [row[0] for row in rows]


async def delete_of_group(tx: Tx, group_id: str) -> None:
    """Remove what was said in the group from every list and every search."""
    await tx.execute(
        f"DELETE FROM messages WHERE group_id = $1 AND {unindexed('organization_id')} = $2",
        group_id,
        tx.actor.organization_id,
    )


async def count(tx: Tx, agent_id: str) -> int:
    """Return how many messages the agent has stored, in all its lists."""
    found: int = await tx.fetch_value(
        "SELECT COUNT(*) FROM messages WHERE agent_id = $1"
        f" AND {unindexed('organization_id')} = $2",
        agent_id,
        tx.actor.organization_id,
    )
    return found


async def run_of_otid(tx: Tx, otid: str, where: MessageFilter) -> str | None:
    """Return the run that the newest message with this otid belongs to, null for none."""
    asked = of_organization(tx, "messages").linked("messages.agent_id = {}", where.agent_id)
    asked.equal(otid=otid, conversation_id=where.conversation_id).add("messages.run_id IS NOT NULL")
    found: str | None = await tx.fetch_value(
        f"SELECT messages.run_id FROM messages WHERE {asked.sql}"
        " ORDER BY messages.seq DESC LIMIT 1",
        *asked.args,
    )
    return found


async def _seq(tx: Tx, message_id: str) -> int | None:
    seq: int | None = await tx.fetch_value(
        "SELECT seq FROM messages WHERE id = $1 AND organization_id = $2",
        message_id,
        tx.actor.organization_id,
    )
    return seq


def from_row(row: Row) -> Message:
    """Read a row of `COLUMNS`."""
    body = _body.validate_json(unpack(row[5]))
    role: Role = row[4]
    return Message(
        id=row[1],
        role=role,
        agent_id=row[2],
        conversation_id=row[3],
        content=body.content,
        calls=body.calls,
        returns=body.returns,
        approvals=body.approvals,
        request_id=body.request_id,
        order=body.order,
        model=row[6],
        name=row[7],
        otid=row[8],
        sender_id=row[9],
        group_id=row[10],
        step_id=row[11],
        run_id=row[12],
        is_err=bool(row[13]),
        created_at=from_micros(row[14]),
    )


def from_json(row: Row) -> Message:
    """Read a row of `COLUMNS` that came as JSON, its body as hexadecimal digits."""
    return from_row([*row[:5], bytes.fromhex(row[5].removeprefix("\\x")), *row[6:]])


def _values(tx: Tx, message: Message) -> tuple[Value, ...]:
    return (
        message.id,
        tx.actor.organization_id,
        message.agent_id,
        message.conversation_id,
        message.role,
        _packed(message),
        message.model,
        message.name,
        message.otid,
        message.sender_id,
        message.group_id,
        message.step_id,
        message.run_id,
        int(message.is_err),
        to_micros(message.created_at),
        int(bool(spoken(message))),
    )


def _packed(message: Message) -> bytes:
    body = {
        "content": [told(one) for one in message.content],
        "calls": [told(one) for one in message.calls],
        "returns": [told(one) for one in message.returns],
        "approvals": [told(one) for one in message.approvals],
        "request_id": message.request_id,
        "order": message.order,
    }
    return pack(encode({name: value for name, value in body.items() if value}).encode())
