"""Seal every stored secret anew, with the newest key."""

from dataclasses import dataclass
from typing import Final

from eunoe.errors import SecretUnreadable
from eunoe.store import audit
from eunoe.store.db import Actor, Database, Row, Tx

SEALED: Final = (
    ("agent_secrets", "sealed"),
    ("kept_answers", "body_sealed"),
    ("mcp_oauth_sessions", "answer_sealed"),
    ("mcp_oauth_sessions", "grant_sealed"),
    ("mcp_servers", "config_sealed"),
    ("providers", "api_key_sealed"),
    ("providers", "access_key_sealed"),
    ("sandbox_variables", "sealed"),
)
"""Every column that holds a sealed value, of tables whose key is `id`."""

_BATCH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How many values were sealed anew, and how many no key here opens."""

    renewed: int
    unreadable: int


async def rotate(db: Database) -> Rotation:
    """Seal everything anew, of every organization, while the server runs.

    It can be stopped and begun again at any time: what is sealed already is sealed once more.
    """
    done = Rotation(renewed=0, unreadable=0)
    for table, column in SEALED:
        after = ""
        while True:
            async with db.write(Actor()) as tx:
                rows = await tx.fetch(
                    f"SELECT id, {column} FROM {table} WHERE id > $1 AND {column} IS NOT NULL"
                    f" ORDER BY id LIMIT {_BATCH}",
                    after,
                )
                for row in rows:
                    done = await _renew(tx, row, table=table, column=column, done=done)
            if len(rows) < _BATCH:
                break
            after = rows[-1][0]
    async with db.write(Actor()) as tx:
        await audit.note(tx, "secrets.rotate", "all")
    return done


async def _renew(tx: Tx, row: Row, *, table: str, column: str, done: Rotation) -> Rotation:
    row_id, sealed = row
    try:
        renewed = tx.sealer.renewed(sealed)
    except SecretUnreadable:
        return Rotation(renewed=done.renewed, unreadable=done.unreadable + 1)
    # What was stored since this transaction read it is sealed with the newest key as it is.
    changed = await tx.execute(
        f"UPDATE {table} SET {column} = $1 WHERE id = $2 AND {column} = $3", renewed, row_id, sealed
    )
    return Rotation(renewed=done.renewed + changed, unreadable=done.unreadable)
