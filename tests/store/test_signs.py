"""Passages of long vectors are scanned by their signs, of which many fit a page."""

import random
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.recall import PassageQuery, QueryVector
from eunoe.store import archives, passages, search
from eunoe.store.database import open_database, upgrade
from eunoe.store.db import Actor, Database, Dialect
from eunoe.store.migrations.render import configuration
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.search_index import coded, packed, scanned
from tests.store.samples import EMBEDDING, plain_archive, plain_passage

pytestmark = pytest.mark.anyio

_ACTOR: Final = Actor()
_LONG: Final = 1_536
_PLACE: Final = "SELECT code FROM passage_codes ORDER BY seq LIMIT 1"


def _direction(seed: int) -> tuple[float, ...]:
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    return tuple(draw.gauss(0, 1) for _ in range(_LONG))


def _revision(dialect: Dialect, which: str) -> str:
    """Return what a revision does, which other revisions may follow."""
    written = StringIO()
    command.upgrade(configuration(dialect, into=written), which, sql=True)
    return written.getvalue()


async def _filled(db: Database) -> str:
    archive = plain_archive()
    kept = [
        replace(plain_passage(archive, f"text {n}"), vector=_direction(n), embedding=EMBEDDING)
        for n in range(40)
    ]
    async with db.write(_ACTOR) as tx:
        await archives.insert(tx, archive)
        await passages.insert(tx, kept)
    return archive.id


async def _nearest(db: Database, archive_id: str, seed: int) -> str:
    asked = QueryVector(embedder=EMBEDDING.handle, values=_direction(seed))
    async with db.read(_ACTOR, long=True) as tx:
        query = PassageQuery(text="", archive_id=archive_id, limit=1)
        hits = await search.find_passages(tx, query, vector=asked)
    return hits[0].passage.text


@pytest.mark.rule("M23")
async def test_a_long_vector_is_found_by_its_meaning(database: Database) -> None:
    archive_id = await _filled(database)
    assert await _nearest(database, archive_id, 17) == "text 17"


@given(st.lists(st.floats(-1, 1, width=32), min_size=65, max_size=65))
def test_only_vectors_too_long_for_a_page_are_cut_to_signs(eighth: list[float]) -> None:
    short, long, odd = eighth[:64] * 8, eighth[:64] * 9, eighth * 9
    assert scanned(short) == coded(short)
    assert len(scanned(long)) == len(long) // 8
    assert scanned(odd) == coded(odd)


async def test_codes_of_an_older_database_are_made_anew(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path / 'old.db'}")
    await upgrade(db)
    archive_id = await _filled(db)
    async with db.write(_ACTOR) as tx:
        new = await tx.fetch_value(_PLACE)
        await tx.execute("UPDATE passage_codes SET code = $1", coded(_direction(3)))
        for statement in _revision("sqlite", "0004:0005").split(";"):
            if "passage_codes" in statement:
                await tx.execute(statement)
    async with db.read(_ACTOR) as tx:
        assert await tx.fetch_value(_PLACE) == new == scanned(_direction(0))
        assert await tx.fetch_value("SELECT vec_quantize_binary($1)", packed(_direction(0))) == new
    assert await _nearest(db, archive_id, 5) == "text 5"
    await db.close()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_an_older_postgresql_gets_codes_and_scans_them(database: PostgresqlDatabase) -> None:
    archive_id = await _filled(database)
    async with database.write(_ACTOR) as tx:
        new = await tx.fetch("SELECT seq, archive_id, embedder, code FROM passage_codes")
        await tx.execute("DROP TABLE passage_codes")
        for statement in _revision("postgresql", "0005:0006").split(";"):
            if "passage_codes" in statement:
                await tx.execute(statement)
    assert await _nearest(database, archive_id, 5) == "text 5"
    async with database.write(_ACTOR) as tx:
        assert new == await tx.fetch("SELECT seq, archive_id, embedder, code FROM passage_codes")
        await tx.execute(
            "DELETE FROM passage_codes WHERE seq = (SELECT seq FROM passages WHERE text = 'text 5')"
        )
    assert await _nearest(database, archive_id, 5) != "text 5"
