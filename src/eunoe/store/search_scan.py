"""One search as SQL sees it: which tables, which partition, and what the filters ask."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from eunoe.domain.messages import Role
from eunoe.domain.recall import MessageQuery, PassageQuery, searched_role
from eunoe.store import codec
from eunoe.store.db import Tx, among, to_micros
from eunoe.store.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Where one kind of thing is indexed.

    `rows` is the table that the filters look at, `words` and `fts` hold the words on
    PostgreSQL and SQLite, `vectors` the vectors. `codes` is scanned first, on PostgreSQL for
    long vectors only, and on SQLite `whole` joins what it found to `vectors`.
    """

    rows: str
    owner: str
    owners: str
    fts: str
    weights: str
    words: str
    codes: str
    vectors: str
    whole: str


PASSAGES: Final = Index(
    rows="passages",
    owner="archive_id",
    owners="archives",
    fts="passage_fts",
    weights="0.0, 1.0, 0.5",
    words="passage_texts",
    codes="passage_codes",
    vectors="passage_vectors",
    whole="whole.seq = scanned.seq",
)
MESSAGES: Final = Index(
    rows="messages",
    owner="agent_id",
    owners="agents",
    fts="message_fts",
    weights="0.0, 1.0, 0.5, 0.5",
    words="message_texts",
    codes="message_vectors",
    vectors="message_vectors",
    whole="whole.agent_id = scanned.owner AND whole.seq = scanned.seq",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One search: `owner_id` is the partition, null for all of the organization's."""

    index: Index
    owner_id: str | None
    query: PassageQuery | MessageQuery
    depth: int

    @property
    def is_narrowed(self) -> bool:
        """Whether the partition alone does not decide what may be found."""
        query = self.query
        bounds: tuple[object, ...] = (query.since, query.until)
        if isinstance(query, PassageQuery):
            wanted = query.tags
        else:
            wanted = query.roles
            bounds += (query.conversation_id, query.project_id, query.template_id)
        return bool(wanted) or self.owner_id is None or any(b is not None for b in bounds)


def owned(tx: Tx, scan: Scan, where: Where, *, table: str) -> str:
    """Return the condition that an entry of `table` is in the partition."""
    owner = f"{table}.{scan.index.owner}"
    if scan.owner_id is not None:
        return f"{owner} = {where.bound(scan.owner_id)}"
    organization = where.bound(tx.actor.organization_id)
    return f"{owner} IN (SELECT id FROM {scan.index.owners} WHERE organization_id = {organization})"


def allow(
    tx: Tx, scan: Scan, where: Where, *, key: str, opening: Literal["WITH", ","] = "WITH"
) -> str:
    """Ask in `where` that the filters let the row at `key` pass; return the WITH clause for it.

    Empty where the partition alone decides. The set is made once, and the plus sign
    keeps a planner from looking up each of its members in the index instead of scanning.
    """
    if not scan.is_narrowed:
        return ""
    inner = Where(tx, args=where.args)
    filter_rows(tx, scan, inner)
    where.add(f"+{key} IN (SELECT seq FROM allowed)")
    rows = scan.index.rows
    return f"{opening} allowed AS MATERIALIZED (SELECT {rows}.seq FROM {rows} WHERE {inner.sql})"


def filter_rows(tx: Tx, scan: Scan, where: Where) -> None:
    """Add everything that the query asks of a row, and that it is the actor's."""
    rows, query = scan.index.rows, scan.query
    organization = where.bound(tx.actor.organization_id)
    if scan.owner_id is None:
        where.add(f"{rows}.organization_id = {organization}")
        if scan.index is PASSAGES:
            # Who wants what is in files has the folder to ask.
            where.add(f"{rows}.file_id IS NULL")
    else:
        # The owner is asked once whose it is: its rows need not be fetched for that.
        owner = where.bound(scan.owner_id)
        owners = f"SELECT id FROM {scan.index.owners} WHERE organization_id = {organization}"
        where.add(f"{rows}.{scan.index.owner} = {owner}")
        where.add(f"{owner} IN ({owners} AND id = {owner})")
    if query.since is not None:
        where.add(f"{rows}.created_at >= {where.bound(to_micros(query.since))}")
    if query.until is not None:
        where.add(f"{rows}.created_at <= {where.bound(to_micros(query.until))}")
    match query:
        case PassageQuery():
            _filter_tags(tx, query, where)
        case MessageQuery():
            _filter_messages(tx, query, where)


def _filter_messages(tx: Tx, query: MessageQuery, where: Where) -> None:
    where.add("messages.findable = 1")
    if query.conversation_id == "default":
        where.add("messages.conversation_id IS NULL")
    elif query.conversation_id is not None:
        # What a fork shares was said in another conversation, and is in its list.
        entries = "list_entries.list_id = " + where.bound(query.conversation_id)
        entries += " AND list_entries.message_seq = messages.seq"
        where.add(f"EXISTS (SELECT 1 FROM list_entries WHERE {entries})")
    if query.roles:
        roles = [role for role in get_args(Role) if searched_role(role) in query.roles]
        where.add(f"messages.role {among(tx, where.bound(codec.encode(roles)))}")
    for column, value in (("project_id", query.project_id), ("template_id", query.template_id)):
        if value is not None:
            agents = f"SELECT id FROM agents WHERE {column} = {where.bound(value)}"
            where.add(f"messages.agent_id IN ({agents})")


def _filter_tags(tx: Tx, query: PassageQuery, where: Where) -> None:
    tags = sorted(set(query.tags))
    if not tags:
        return
    matching = (
        "SELECT {} FROM passage_tags WHERE passage_tags.passage_seq = passages.seq"
        f" AND passage_tags.tag {among(tx, where.bound(codec.encode(tags)))}"
    )
    if query.tag_match == "any":
        where.add(f"EXISTS ({matching.format('1')})")
    else:
        where.add(f"({matching.format('COUNT(*)')}) = {where.bound(len(tags))}")
