"""Which tools a run has used."""

from eunoe.domain.messages import ToolReturn
from eunoe.store import messages
from eunoe.store.codec import encode
from eunoe.store.db import Tx, among


async def tools_used(tx: Tx, run_id: str) -> list[str]:
    """Return the ids of the tools whose calls came back in the run, in the order of their names.

    A tool that is gone by now has none.
    """
    rows = await tx.fetch(
        f"SELECT {messages.COLUMNS} FROM messages"
        " WHERE run_id = $1 AND role = 'tool' AND organization_id = $2",
        run_id,
        tx.actor.organization_id,
    )
    returns: list[ToolReturn] = [one for row in rows for one in messages.from_row(row).returns]
    found = await tx.fetch(
        f"SELECT id FROM tools WHERE name {among(tx, '$1')} AND organization_id = $2 ORDER BY name",
        encode(sorted({one.name for one in returns})),
        tx.actor.organization_id,
    )
    return [row[0] for row in found]
