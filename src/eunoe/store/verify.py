"""Whether what is stored fits together, and mending what does not (G-2).

What is wrong is found by a query that names it. Mending never rewrites what was said or what a
block has been: it adds what is missing, and takes away what points at nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain import approvals
from eunoe.domain.messages import Message
from eunoe.domain.pairing import unknown_returns, unpaired
from eunoe.store import lists, search
from eunoe.store.database import Finding, check
from eunoe.store.db import Actor, Database, Dialect, Tx

_SAME: Final = (
    "it.label = blocks.label AND it.value = blocks.value AND it.char_limit = blocks.char_limit"
    " AND it.read_only = blocks.read_only"
    " AND COALESCE(it.description, '') = COALESCE(blocks.description, '')"
)
_AHEAD: Final = (
    f"(NOT EXISTS (SELECT 1 FROM block_versions AS it WHERE it.block_id = blocks.id"
    f" AND it.version = blocks.version AND {_SAME}) OR EXISTS (SELECT 1 FROM block_versions AS it"
    " WHERE it.block_id = blocks.id AND it.version > blocks.version))"
)
_WINDOWED: Final = "list_entries WHERE list_id = message_lists.id AND position IS NOT NULL"


_UNSCANNED: Final = (
    "seq IN (SELECT seq FROM passage_vectors) AND seq NOT IN (SELECT seq FROM passage_codes)"
)
_RAISED: Final = (
    "UPDATE blocks SET version = 1 + COALESCE((SELECT MAX(version) FROM block_versions"
    f" WHERE block_id = blocks.id), 0) WHERE {_AHEAD}"
)
_WRITTEN: Final = (
    "INSERT INTO block_versions (block_id, version, label, value, char_limit, description,"
    " read_only, metadata_json, tags_json, id, created_at) SELECT id, version, label, value,"
    " char_limit, description, read_only, metadata_json, tags_json,"
    " id || ':' || CAST(version AS TEXT), updated_at FROM blocks WHERE NOT EXISTS"
    " (SELECT 1 FROM block_versions AS it"
    " WHERE it.block_id = blocks.id AND it.version = blocks.version)"
)
_OWN_LABEL: Final = "(SELECT label FROM blocks WHERE id = block_id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """`find` names each thing that is wrong, as it stands in `says`; `mend` is run in order."""

    code: str
    says: str
    find: str
    mended: str = ""
    mend: tuple[str, ...] = ()
    only: Dialect | None = None


_RULES: Final = (
    _Rule(
        code="message_lost",
        says="List {} has entries of messages that are gone.",
        find="SELECT DISTINCT list_id FROM list_entries WHERE message_seq NOT IN"
        " (SELECT seq FROM messages)",
        mended="They were taken off the list.",
        mend=("DELETE FROM list_entries WHERE message_seq NOT IN (SELECT seq FROM messages)",),
    ),
    _Rule(
        code="list_headless",
        says="List {} does not begin with a system message; recompile it.",
        find="SELECT id FROM message_lists WHERE COALESCE((SELECT messages.role FROM"
        f" {_WINDOWED.replace(' WHERE', ' JOIN messages ON messages.seq = message_seq WHERE')}"
        " ORDER BY position LIMIT 1), 'system') <> 'system'",
    ),
    _Rule(
        code="order_broken",
        says="List {} has a place in its window past its newest message.",
        find=f"SELECT id FROM message_lists WHERE (SELECT MAX(position) FROM {_WINDOWED})"
        " > (SELECT MAX(message_seq) FROM list_entries WHERE list_id = message_lists.id)",
    ),
    _Rule(
        code="list_ownerless",
        says="List {} is no agent's and no conversation's.",
        find="SELECT id FROM message_lists WHERE id NOT IN (SELECT id FROM agents)"
        " AND id NOT IN (SELECT id FROM conversations)",
    ),
    _Rule(
        code="version_missing",
        says="Block {} is not what the last entry of its history says.",
        find=f"SELECT id FROM blocks WHERE {_AHEAD} ORDER BY id",
        mended="What it is now was added to its history.",
        mend=(_RAISED, _WRITTEN),
    ),
    _Rule(
        code="label_differs",
        says="Block {} has another label on an agent than it has itself.",
        find=f"SELECT DISTINCT block_id FROM agents_blocks WHERE label <> {_OWN_LABEL}",
        mended="The agent has it under its own label now.",
        mend=(f"UPDATE agents_blocks SET label = {_OWN_LABEL} WHERE label <> {_OWN_LABEL}",),
    ),
    _Rule(
        code="code_missing",
        says="The passage at {} has a vector that no search scans.",
        find=f"SELECT seq FROM passage_vectors WHERE {_UNSCANNED} ORDER BY seq",
        mended="It is embedded anew the next time its agent is spoken to.",
        mend=(
            f"UPDATE passages SET embedder = NULL WHERE {_UNSCANNED}",
            f"DELETE FROM passage_vectors WHERE {_UNSCANNED}",
        ),
        only="sqlite",
    ),
    _Rule(
        code="code_orphaned",
        says="The index of passages has an entry at {} where no passage is.",
        find="SELECT seq FROM passage_codes WHERE seq NOT IN (SELECT seq FROM passages)",
        mended="It was taken away.",
        mend=("DELETE FROM passage_codes WHERE seq NOT IN (SELECT seq FROM passages)",),
        only="sqlite",
    ),
    _Rule(
        code="words_missing",
        says="The message at {} is not in the index of words.",
        find="SELECT seq FROM messages WHERE findable = 1"
        " AND seq NOT IN (SELECT rowid FROM message_fts)",
        only="sqlite",
    ),
)


async def verify(db: Database, *, repair: bool = False) -> list[Finding]:
    """Return all that is wrong; with `repair` what could be mended says so, and is."""
    found = await check(db)
    if any(one.code != "message_lost" for one in found):
        return found  # Of a file that is damaged, or of another version, nothing else can be said.
    told: list[Finding] = []
    for rule in _RULES:
        told += await _judged(db, rule, repair=repair)
    return told + await _unpaired(db, repair=repair)


async def _judged(db: Database, rule: _Rule, *, repair: bool) -> list[Finding]:
    if rule.only not in (None, db.dialect):
        return []
    async with db.read(Actor(), long=True) as tx:
        found = [row[0] for row in await tx.fetch(rule.find)]
    mends = repair and bool(found) and bool(rule.mend)
    if mends:
        async with db.write(Actor()) as tx:
            for statement in rule.mend:
                await tx.execute(statement)
    done = rule.mended if mends else None
    return [Finding(code=rule.code, message=rule.says.format(one), mended=done) for one in found]


async def _unpaired(db: Database, *, repair: bool) -> list[Finding]:
    """Find calls in windows that have no return, where no run is at work on them."""
    async with db.read(Actor()) as tx:
        rows = await tx.fetch(
            "SELECT message_lists.id, agents.organization_id FROM message_lists JOIN agents"
            " ON agents.id = COALESCE((SELECT agent_id FROM conversations"
            " WHERE conversations.id = message_lists.id), message_lists.id)"
            " WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.list_id = message_lists.id"
            " AND runs.status IN ('created', 'running')) ORDER BY message_lists.id"
        )
    told: list[Finding] = []
    for list_id, organization_id in rows:
        actor = Actor(organization_id=organization_id)
        async with db.read(actor) as tx:
            open_calls = len(_open(await lists.placed(tx, list_id)))
        if open_calls and repair:
            async with db.write(actor) as tx:
                await _close(tx, list_id)
        if open_calls:
            message = f"List {list_id} has {open_calls} replies with calls that nothing came of."
            done = "Returns were added that say that the outcome is unknown." if repair else None
            told.append(Finding(code="calls_unpaired", message=message, mended=done))
    return told


def _open(placed: Sequence[tuple[int, Message]]) -> list[Message]:
    """Return the messages with calls that nobody will answer any more."""
    window = [message for _, message in placed]
    if approvals.pending(window) or approvals.due(window):
        window = window[: -_waiting(window)]
    return unpaired(window)


def _waiting(window: Sequence[Message]) -> int:
    """Return how many messages at the end belong to a request and what came with its answers."""
    asked = max(at for at, one in enumerate(window) if one.role == "approval" and one.calls)
    step = window[asked].step_id
    return len(window) - asked + (asked > 0 and window[asked - 1].step_id == step is not None)


async def _close(tx: Tx, list_id: str) -> None:
    """Put a return behind each call that has none."""
    await lists.hold(tx, list_id)
    placed = await lists.placed(tx, list_id)
    order = [message.id for _, message in placed]
    now = datetime.now(UTC)
    for message in _open(placed):
        closing = replace(
            message,
            id=ids.new("message"),
            role="tool",
            content=(),
            calls=(),
            order=(),
            otid=None,
            returns=unknown_returns(message, [one for _, one in placed]),
            created_at=now,
        )
        await search.index_messages(tx, [closing], await lists.append(tx, list_id, [closing]))
        order.insert(order.index(message.id) + 1, closing.id)
    await lists.arrange(tx, list_id, order)
