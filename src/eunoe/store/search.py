"""Hybrid search in archives and in what was said (FIX-39, 41, 42, 43).

Words and vectors each give a list, best first, with every filter inside the query; both
are fused by `domain.ranking`. A message also has a share in how well its
neighbours fit: a question and its answer are found by either's words. An empty query lists
by the filters alone.

Everything runs in the transaction it is given, best a long read.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias, assert_never

from eunoe.domain.passages import MessageHit, PassageHit
from eunoe.domain.ranking import Ranked, fused
from eunoe.domain.recall import MessageQuery, PassageQuery, QueryVector
from eunoe.domain.words import query_words
from eunoe.store import codec
from eunoe.store.db import Row, Tx
from eunoe.store.search_hits import message_hits, passage_hits
from eunoe.store.search_index import (
    coded,
    index_message_vectors,
    index_messages,
    index_passage_vectors,
    index_passages,
    is_scanned_by_signs,
    is_usable,
    literal,
    numbers,
    packed,
    pending_archives,
    scanned,
    scope,
    unembedded_messages,
    unembedded_of_file,
    unembedded_passages,
    unindex_passages,
)
from eunoe.store.search_scan import MESSAGES, PASSAGES, Scan, allow, filter_rows, owned
from eunoe.store.where import Where

__all__ = (
    "WordScores", "find_across", "find_messages", "find_passages", "index_message_vectors",
    "index_messages", "index_passage_vectors", "index_passages", "pending_archives",
    "score_messages", "score_passages", "unembedded_messages", "unembedded_of_file",
    "unembedded_passages", "unindex_passages",
)  # fmt: skip

WordScores: TypeAlias = Mapping[int, float]
"""How well entries fit a query's words, by place; higher is better."""

_DEPTH: Final = 200
"""How far down each list is read before both are fused."""
_SCANNED: Final = 2
"""How many times deeper the coarse scan of vectors reads."""
_WEIGHTS: Final = "'{1.0, 0.2, 0.4, 1.0}'"
"""Of the labels D to A on PostgreSQL: the words of a text have A or, in messages, no label."""
_NEIGHBOUR_SHARE: Final = 0.3
"""How much of a turn's fit its two neighbours get."""


async def find_passages(
    tx: Tx,
    query: PassageQuery,
    *,
    vector: QueryVector | None = None,
    words: WordScores | None = None,
) -> list[PassageHit]:
    """Return the passages that fit `query` best. Filters come before the limit (FIX-39).

    `words` are the scores of `score_passages` where they were already asked for.
    """
    return await passage_hits(tx, await _best(tx, _scan(query), vector, words, score=_by_words))


async def find_across(
    tx: Tx, asked: Sequence[tuple[PassageQuery, QueryVector | None]], *, limit: int
) -> list[PassageHit]:
    """Return what fits best in several partitions, each asked in its own embedder's words.

    All are fused at once: the best of a folder that has nothing to say is no match.
    """
    words: dict[int, float] = {}
    cosine: dict[int, float] = {}
    for query, vector in asked:
        scan = _scan(query)
        found = await _by_words(tx, scan)
        words |= found
        cosine |= await _near(tx, scan, found, vector)
    return await passage_hits(tx, fused(words, cosine, limit=limit))


async def find_messages(
    tx: Tx,
    query: MessageQuery,
    *,
    vector: QueryVector | None = None,
    words: WordScores | None = None,
) -> list[MessageHit]:
    """Return what was said that fits `query` best. Filters come before the limit (FIX-42).

    `words` are the scores of `score_messages` where they were already asked for.
    """
    best = await _best(tx, _scan(query), vector, words, score=_with_neighbours)
    return await message_hits(tx, best)


async def score_passages(tx: Tx, query: PassageQuery) -> WordScores:
    """Return how well passages fit the words alone, so that it can run while a model embeds."""
    return await _by_words(tx, _scan(query))


async def score_messages(tx: Tx, query: MessageQuery) -> WordScores:
    """Return how well messages fit the words alone, so that it can run while a model embeds."""
    return await _with_neighbours(tx, _scan(query))


def _scan(query: PassageQuery | MessageQuery) -> Scan:
    depth = max(_DEPTH, query.limit)
    match query:
        case PassageQuery(archive_id=archive_id):
            return Scan(index=PASSAGES, owner_id=archive_id, query=query, depth=depth)
        case MessageQuery(agent_id=agent_id):
            return Scan(index=MESSAGES, owner_id=agent_id, query=query, depth=depth)


async def _newest(tx: Tx, scan: Scan) -> list[Ranked]:
    rows = scan.index.rows
    where = Where(tx)
    filter_rows(tx, scan, where)
    found = await tx.fetch(
        f"SELECT {rows}.seq FROM {rows} WHERE {where.sql}"
        f" ORDER BY {rows}.created_at DESC, {rows}.seq DESC LIMIT {where.bound(scan.query.limit)}",
        *where.args,
    )
    return [Ranked(key=row[0], score=0.0) for row in found]


async def _best(
    tx: Tx,
    scan: Scan,
    vector: QueryVector | None,
    words: WordScores | None,
    *,
    score: Callable[[Tx, Scan], Awaitable[WordScores]],
) -> list[Ranked]:
    """Return what fits best, by words and meaning; the newest where neither is asked for."""
    if not scan.query.text.strip() and vector is None:
        return await _newest(tx, scan)
    scores = await score(tx, scan) if words is None else words
    near = await _near(tx, scan, scores, vector)
    return fused(scores, near, limit=scan.query.limit)


async def _near(
    tx: Tx, scan: Scan, text: WordScores, vector: QueryVector | None
) -> dict[int, float]:
    """Return the cosine of the nearest entries and of those that the words found."""
    if vector is None or not is_usable(vector.values):
        return {}
    cosine = await _by_meaning(tx, scan, vector)
    # What only the words found must be compared by its meaning too.
    if unseen := text.keys() - cosine.keys():
        cosine |= await _by_meaning(tx, scan, vector, among=unseen)
    return cosine


async def _by_words(tx: Tx, scan: Scan) -> dict[int, float]:
    """Return how well the best entries fit the query's words, by place; higher is better."""
    words = query_words(scan.query.text)
    if not words:
        return {}
    where = Where(tx)
    match tx.dialect:
        case "sqlite":
            sql = _match_sqlite(tx, scan, words, where)
        case "postgresql":
            sql = _match_postgresql(tx, scan, words, where)
        case _:
            assert_never(tx.dialect)
    # Where a tokenizer drops every word, the scope alone is left to match: everything, for 0.
    return {row[0]: row[1] for row in await tx.fetch(sql, *where.args) if row[1] > 0.0}


def _match_sqlite(tx: Tx, scan: Scan, words: Sequence[str], where: Where) -> str:
    """BM25, asked for by name: by `rank` each match is sorted with all that is known of it.

    Words are letters and digits only, so that quotes make them plain strings.
    """
    index = scan.index
    asked = " OR ".join(f'"{word}"' for word in words)
    asked = f"- scope : ({asked})"
    if scan.owner_id is not None:
        asked = f"scope : {scope(scan.owner_id)} AND ({asked})"
    where.add(f"{index.fts} MATCH {where.bound(asked)}")
    allowed = allow(tx, scan, where, key=f"{index.fts}.rowid")
    return (
        f"{allowed} SELECT {index.fts}.rowid, -bm25({index.fts}, {index.weights}) AS fit"
        f" FROM {index.fts} WHERE {where.sql} ORDER BY fit DESC LIMIT {where.bound(scan.depth)}"
    )


def _match_postgresql(tx: Tx, scan: Scan, words: Sequence[str], where: Where) -> str:
    """Each word's own rank, times how rare it is among the entries: ranks alone do not know."""
    index = scan.index
    terms = where.bound(codec.encode([f"'{word}'" for word in words]))
    ours = owned(tx, scan, where, table=index.words)
    where.add(ours)
    allowed = allow(tx, scan, where, key=f"{index.words}.seq", opening=",")
    return f"""
        WITH terms AS MATERIALIZED (
            SELECT DISTINCT to_tsquery('english', one.value) AS term
            FROM jsonb_array_elements_text({terms}::jsonb) AS one (value)
            WHERE numnode(to_tsquery('english', one.value)) > 0
        ) {allowed}, hits AS (
            SELECT {index.words}.seq,
                ts_rank({_WEIGHTS}, {index.words}.words, terms.term, 1) AS fit,
                COUNT(*) OVER (PARTITION BY terms.term)::float8 AS matches
            FROM {index.words} JOIN terms ON {index.words}.words @@ terms.term
            WHERE {index.words}.words @@ (SELECT string_agg(term::text, ' | ')::tsquery FROM terms)
            AND {where.sql}
        )
        SELECT seq, SUM(fit * ln(1 +
            ((SELECT COUNT(*) FROM {index.words} WHERE {ours})::float8 - matches + 0.5)
            / (matches + 0.5))) AS score
        FROM hits GROUP BY seq ORDER BY score DESC LIMIT {where.bound(scan.depth)}
    """


async def _by_meaning(
    tx: Tx, scan: Scan, vector: QueryVector, *, among: Iterable[int] | None = None
) -> dict[int, float]:
    """Return the cosine of the nearest entries, or of those `among` the given places."""
    where = Where(tx)
    match tx.dialect:
        case "sqlite":
            sql = _nearest_sqlite(tx, scan, vector, where, among=among)
        case "postgresql":
            sql = _nearest_postgresql(tx, scan, vector, where, among=among)
        case _:
            assert_never(tx.dialect)
    return {row[0]: row[1] for row in await tx.fetch(sql, *where.args)}


def _nearest_sqlite(
    tx: Tx, scan: Scan, vector: QueryVector, where: Where, *, among: Iterable[int] | None
) -> str:
    """Scan by what is cheap to compare; order the nearest by their cosine.

    That is the sum of differences, which costs half a cosine, or for long vectors of passages
    how many signs differ.
    """
    index, table = scan.index, scan.index.codes
    is_whole = index.codes == index.vectors
    by_signs = not is_whole and is_scanned_by_signs(vector.values)
    asked = where.bound(coded(vector.values) if is_whole else scanned(vector.values))
    where.add(owned(tx, scan, where, table=table))
    where.add(f"{table}.embedder = {where.bound(vector.embedder)}")
    where.add(f"length({table}.code) = length({asked})")
    opening = ""
    if among is None:
        opening = allow(tx, scan, where, key=f"{table}.seq")
    else:
        where.add(f"{table}.seq IN {numbers(tx, where.bound(codec.encode(list(among))))}")
    if is_whole:
        near = f"vec_distance_cosine(vec_int8(whole.code), vec_int8({asked}))"
    else:
        near = f"vec_distance_cosine(whole.vector, {where.bound(packed(vector.values))})"
    distance = "vec_distance_hamming(vec_bit({}), vec_bit({}))"
    if not by_signs:
        distance = "vec_distance_l1(vec_int8({}), vec_int8({}))"
    return f"""
        {f"{opening}," if opening else "WITH"} scanned AS MATERIALIZED (
            SELECT {table}.{index.owner} AS owner, {table}.seq FROM {table} WHERE {where.sql}
            ORDER BY {distance.format(f"{table}.code", asked)}
            LIMIT {where.bound(_SCANNED * scan.depth)}
        )
        SELECT scanned.seq, 1 - {near} AS near FROM scanned JOIN {index.vectors} AS whole
        ON {index.whole} ORDER BY near DESC LIMIT {where.bound(scan.depth)}
    """


def _nearest_postgresql(
    tx: Tx, scan: Scan, vector: QueryVector, where: Where, *, among: Iterable[int] | None
) -> str:
    """Order by the cosine; long vectors of passages only those whose signs differ least."""
    index = scan.index
    coarse = among is None and index.codes != index.vectors and is_scanned_by_signs(vector.values)
    table = index.codes if coarse else index.vectors
    asked = f"(SELECT {where.bound(literal(vector.values))}::text::vector)"
    where.add(owned(tx, scan, where, table=table))
    where.add(f"{table}.embedder = {where.bound(vector.embedder)}")
    size = f"length({table}.code)" if coarse else f"vector_dims({table}.vector)"
    where.add(f"{size} = {where.bound(len(vector.values))}")
    opening = ""
    if among is None:
        opening = allow(tx, scan, where, key=f"{table}.seq")
    else:
        where.add(f"{table}.seq IN {numbers(tx, where.bound(codec.encode(list(among))))}")
    if coarse:
        opening = f"""
            {f"{opening}," if opening else "WITH"} scanned AS MATERIALIZED (
                SELECT {table}.seq FROM {table} WHERE {where.sql}
                ORDER BY {table}.code <~> (SELECT binary_quantize({asked}))
                LIMIT {where.bound(_SCANNED * scan.depth)}
            )
        """
        where = Where(tx, [f"{index.vectors}.seq = scanned.seq"], where.args)
    source = f"scanned, {index.vectors}" if coarse else index.vectors
    return (
        f"{opening} SELECT {index.vectors}.seq, 1 - ({index.vectors}.vector <=> {asked}) AS near"
        f" FROM {source} WHERE {where.sql} ORDER BY near DESC LIMIT {where.bound(scan.depth)}"
    )


async def _with_neighbours(tx: Tx, scan: Scan) -> dict[int, float]:
    """Return `_by_words` with a share of each fit given to the turns before and after it.

    A question passes its fit on to the answer even where only answers are asked for.
    """
    own = await _by_words(tx, scan)
    sources = own
    if isinstance(scan.query, MessageQuery) and scan.query.roles:
        sources = await _by_words(tx, replace(scan, query=replace(scan.query, roles=())))
    shares: dict[int, float] = defaultdict(float)
    for seq, before, after in await _neighbours(tx, sources):
        for neighbour in (before, after):
            if neighbour is not None:
                shares[neighbour] += _NEIGHBOUR_SHARE * sources[seq]
    strangers = shares.keys() - own.keys()
    allowed = await _passing(tx, scan, strangers) if scan.is_narrowed else strangers
    return {seq: own.get(seq, 0.0) + shares.get(seq, 0.0) for seq in {*own, *allowed}}


async def _neighbours(tx: Tx, seqs: Iterable[int]) -> list[Row]:
    """Return each place with those of the turns before and after it in the same list.

    Whether a neighbour says anything is asked of one after another: PostgreSQL would merge a join
    of both tables from their ends.
    """

    def nearest(sign: str, order: str) -> str:
        return (
            "(SELECT message_seq FROM list_entries"
            " WHERE list_id = COALESCE(said.conversation_id, said.agent_id)"
            f" AND message_seq {sign} said.seq"
            " AND (SELECT findable FROM messages WHERE seq = message_seq) = 1"
            f" ORDER BY message_seq {order} LIMIT 1)"
        )

    return await tx.fetch(
        f"SELECT said.seq, {nearest('<', 'DESC')}, {nearest('>', 'ASC')}"
        f" FROM messages AS said WHERE said.seq IN {numbers(tx, '$1')}",
        codec.encode(list(seqs)),
    )


async def _passing(tx: Tx, scan: Scan, seqs: Iterable[int]) -> set[int]:
    where = Where(tx)
    filter_rows(tx, scan, where)
    where.add(f"messages.seq IN {numbers(tx, where.bound(codec.encode(list(seqs))))}")
    rows = await tx.fetch(f"SELECT messages.seq FROM messages WHERE {where.sql}", *where.args)
    return {row[0] for row in rows}
