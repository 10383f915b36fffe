"""Queries on message lists: what is in a model's window, and in which order.

An append never touches other rows, an eviction never touches messages, and
positions are never renumbered, so two writers cannot lose each other's entries.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from eunoe.domain.messages import Message
from eunoe.store import messages
from eunoe.store.codec import encode
from eunoe.store.db import Tx, among, unindexed
from eunoe.store.related import Related, rows_of

_ENTER: Final = (
    "INSERT INTO list_entries (list_id, message_seq, position, message_id)"
    " VALUES ($1, $2, $3, (SELECT id FROM messages"
    " WHERE seq = $2 AND CAST($3 AS BIGINT) IS NOT NULL))"
)
"""Puts the message at a place into a list, and into its window where it has a position there."""
_EVICTED: Final = "position = NULL, message_id = NULL"


async def create(tx: Tx, list_id: str) -> None:
    await tx.execute("INSERT INTO message_lists (id, version) VALUES ($1, 1)", list_id)


async def begin(tx: Tx, list_id: str, system: Message, *, shared: Sequence[int] = ()) -> int:
    """Make a list of a new system message, then of what is said at the places `shared`.

    Those messages stay in the lists they are in. Returns the place of the system message.
    """
    await create(tx, list_id)
    (seq,) = await messages.insert(tx, [system])
    # The last of them stands at the newest place, so that every append comes after it.
    await tx.execute_many(
        _ENTER,
        [(list_id, place, seq - len(shared) + at) for at, place in enumerate((seq, *shared))],
    )
    return seq


async def fill(tx: Tx, made: Mapping[str, tuple[Sequence[int], Sequence[int]]]) -> None:
    """Make lists, by id, of the messages at some places, and of some of those their windows.

    Positions end at the newest place, so that every later append comes after them.
    """
    await tx.execute_many(
        "INSERT INTO message_lists (id, version) VALUES ($1, 1)", [(one,) for one in made]
    )
    rows: list[tuple[str, int, int | None]] = []
    for list_id, (listed_at, window_at) in made.items():
        first = max(listed_at, default=0) - len(window_at) + 1
        positions = {seq: first + place for place, seq in enumerate(window_at)}
        rows += [(list_id, seq, positions.get(seq)) for seq in listed_at]
    await tx.execute_many(_ENTER, rows)


async def entries(tx: Tx, list_ids: Sequence[str]) -> dict[str, list[tuple[int, int | None]]]:
    """Return the places of each list's messages as they were said, and where in its window."""
    rows = await tx.fetch(
        f"SELECT list_id, message_seq, position FROM list_entries WHERE list_id"
        f" {among(tx, '$1')} ORDER BY list_id, message_seq",
        encode(list(list_ids)),
    )
    found: dict[str, list[tuple[int, int | None]]] = {list_id: [] for list_id in list_ids}
    for list_id, seq, position in rows:
        found[list_id].append((seq, position))
    return found


async def remove(tx: Tx, list_id: str) -> None:
    """Remove a list, and the messages that no other list has."""
    await tx.execute(
        f"DELETE FROM messages WHERE {unindexed('organization_id')} = $2"
        " AND seq IN (SELECT message_seq FROM list_entries WHERE list_id = $1)"
        " AND NOT EXISTS (SELECT 1 FROM list_entries"
        " WHERE message_seq = messages.seq AND list_id <> $1)",
        list_id,
        tx.actor.organization_id,
    )
    await tx.execute("DELETE FROM list_entries WHERE list_id = $1", list_id)
    await tx.execute("DELETE FROM message_lists WHERE id = $1", list_id)


async def last_role(tx: Tx, list_id: str, *, agent_id: str) -> str | None:
    """Return the role of the newest message in the list's window, empty without one.

    Null unless the list is this agent's, of the actor's organization.
    """
    found: str | None = await tx.fetch_value(
        "SELECT COALESCE((SELECT messages.role FROM list_entries"
        " JOIN messages ON messages.seq = list_entries.message_seq"
        " WHERE list_entries.list_id = message_lists.id AND list_entries.position IS NOT NULL"
        " ORDER BY list_entries.position DESC LIMIT 1), '')"
        " FROM message_lists JOIN agents ON agents.id = $1"
        " WHERE message_lists.id = $2 AND agents.organization_id = $3"
        " AND (message_lists.id = agents.id OR EXISTS (SELECT 1 FROM conversations"
        " WHERE conversations.id = message_lists.id AND conversations.agent_id = agents.id))",
        agent_id,
        list_id,
        tx.actor.organization_id,
    )
    return found


async def hold(tx: Tx, list_id: str) -> None:
    """Keep the list from whoever else holds it, until commit; SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        await tx.fetch("SELECT 1 FROM message_lists WHERE id = $1 FOR UPDATE", list_id)


async def newest(tx: Tx, list_id: str, *, limit: int) -> list[Message]:
    """Return the newest messages in the window, oldest first."""
    return await _newest(tx, list_id, limit=limit, by="position")


async def recent(tx: Tx, list_id: str, *, limit: int) -> list[Message]:
    """Return the newest messages of the list, in the window or not, oldest first."""
    return await _newest(tx, list_id, limit=limit, by="message_seq")


async def _newest(tx: Tx, list_id: str, *, limit: int, by: str) -> list[Message]:
    rows = await tx.fetch(
        f"SELECT {messages.COLUMNS} FROM list_entries"
        " JOIN messages ON messages.seq = list_entries.message_seq"
        f" WHERE list_entries.list_id = $1 AND list_entries.{by} IS NOT NULL"
        f" ORDER BY list_entries.{by} DESC LIMIT $2",
        list_id,
        limit,
    )
    return [messages.from_row(row) for row in reversed(rows)]


REQUEST: Final = rows_of(
    messages.COLUMNS,
    "messages WHERE messages.seq = (SELECT message_seq FROM list_entries"
    " WHERE list_id = item.value AND position IS NOT NULL ORDER BY position DESC LIMIT 1)"
    f" AND messages.role = 'approval' AND {unindexed('messages.organization_id')} = $2",
    order="messages.seq",
    read=lambda _, row: messages.from_json(row),
    blob="messages.body",
).then(lambda found: found[0] if found and found[0].calls else None)
"""The request for approval that stands last in a list's window."""


async def of_agent(tx: Tx, agent_id: str) -> list[str]:
    """Return the ids of the agent's lists: its own, then those of its conversations."""
    rows = await tx.fetch("SELECT id FROM conversations WHERE agent_id = $1 ORDER BY id", agent_id)
    return [agent_id, *(row[0] for row in rows)]


async def version(tx: Tx, list_id: str) -> int | None:
    """Return the count of changes that were not appends, null for an unknown list."""
    found: int | None = await tx.fetch_value(
        "SELECT version FROM message_lists WHERE id = $1", list_id
    )
    return found


async def append(tx: Tx, list_id: str, said: Sequence[Message]) -> list[int]:
    """Store `said` at the end of the list and of its window; return their places."""
    seqs = await messages.insert(tx, said)
    for seq in seqs:
        await tx.execute(_ENTER, list_id, seq, seq)
    return seqs


async def window(tx: Tx, list_id: str) -> list[Message]:
    """Return the window's messages, in order."""
    return [message for _, message in await placed(tx, list_id)]


async def placed(tx: Tx, list_id: str, *, after_seq: int = 0) -> list[tuple[int, Message]]:
    """Return the window's messages past `after_seq`, in order, each with its place.

    A whole window is read by its own index, so that evicted messages cost nothing.
    """
    past = " AND list_entries.message_seq > $2" if after_seq else ""
    rows = await tx.fetch(
        f"SELECT {messages.COLUMNS} FROM list_entries"
        " JOIN messages ON messages.seq = list_entries.message_seq"
        " WHERE list_entries.list_id = $1 AND list_entries.position IS NOT NULL"
        f"{past} ORDER BY list_entries.position",
        list_id,
        *([after_seq] if after_seq else []),
    )
    return [(row[0], messages.from_row(row)) for row in rows]


WINDOW: Final[Related[tuple[str, ...]]] = Related(
    lambda _: (
        "CASE WHEN $2 IN (SELECT organization_id FROM agents WHERE id = item.value UNION ALL"
        " SELECT organization_id FROM conversations WHERE id = item.value) THEN"
        " (SELECT string_agg(COALESCE(message_id, (SELECT id FROM messages"
        " WHERE seq = list_entries.message_seq)), ',' ORDER BY position) FROM list_entries"
        " WHERE list_entries.list_id = item.value AND list_entries.position IS NOT NULL) END"
    ),
    lambda _, text: tuple(text.split(",")) if text else (),
)
"""The ids of the messages in a list's window, in order.

The engine puts them together, so that a hundred long windows are a hundred rows. Only an entry
that an older server wrote beside this one has to look its message up.
"""


async def evict(
    tx: Tx, list_id: str, evicted: Sequence[str], *, summary: Message | None
) -> int | None:
    """Take messages out of the window; put `summary` where the first of them stood.

    They stay stored and listed. Returns the place of the summary.
    """
    which = f"list_id = $1 AND message_seq IN (SELECT seq FROM messages WHERE id {among(tx, '$2')})"
    given = encode(list(evicted))
    position: int | None = await tx.fetch_value(
        f"SELECT MIN(position) FROM list_entries WHERE {which}", list_id, given
    )
    await tx.execute(f"UPDATE list_entries SET {_EVICTED} WHERE {which}", list_id, given)
    await changed(tx, list_id)
    if summary is None or position is None:
        return None
    seq = (await messages.insert(tx, [summary]))[0]
    await tx.execute(_ENTER, list_id, seq, position)
    return seq


async def arrange(tx: Tx, list_id: str, message_ids: Sequence[str]) -> bool:
    """Make these messages the window, in this order; false where one is not in the list.

    Their new positions end at the place of the list's newest message, so that every
    later append still comes after them.
    """
    rows = await tx.fetch(
        "SELECT messages.id, messages.seq FROM list_entries"
        " JOIN messages ON messages.seq = list_entries.message_seq"
        f" WHERE list_entries.list_id = $1 AND messages.id {among(tx, '$2')}",
        list_id,
        encode(list(message_ids)),
    )
    seqs = {row[0]: row[1] for row in rows}
    if any(message_id not in seqs for message_id in message_ids):
        return False
    newest: int = await tx.fetch_value(
        "SELECT MAX(message_seq) FROM list_entries WHERE list_id = $1", list_id
    )
    await tx.execute(f"UPDATE list_entries SET {_EVICTED} WHERE list_id = $1", list_id)
    await tx.execute_many(
        "UPDATE list_entries SET position = $3, message_id = $4"
        " WHERE list_id = $1 AND message_seq = $2",
        [
            (list_id, seqs[message_id], newest - len(message_ids) + place, message_id)
            for place, message_id in enumerate(message_ids, 1)
        ],
    )
    await changed(tx, list_id)
    return True


async def rewrite_system(tx: Tx, list_id: str, system: Message) -> None:
    """Store a new text of the list's system message, which keeps its id and place (L23)."""
    await messages.rewrite(tx, system)
    await changed(tx, list_id)


async def changed(tx: Tx, list_id: str) -> None:
    await tx.execute("UPDATE message_lists SET version = version + 1 WHERE id = $1", list_id)
