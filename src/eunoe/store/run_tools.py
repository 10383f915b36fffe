"""Which tools a run has used."""

from eunoe.store import messages
from eunoe.store.codec import encode
from eunoe.store.db import Tx, among


async def tools_used(tx: Tx, run_id: str) -> list[str]:
    """Return the ids of the tools whose calls came back in the run, in the order of their names.

    A tool that is gone by now has none.
    """
    returns = [one for said in await messages.of_run(tx, run_id) for one in said.returns]
    found = await tx.fetch(
        f"SELECT id FROM tools WHERE name {among(tx, '$1')} AND organization_id = $2 ORDER BY name",
        encode(sorted({one.name for one in returns})),
        tx.actor.organization_id,
    )
    return [row[0] for row in found]
