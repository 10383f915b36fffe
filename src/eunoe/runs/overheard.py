"""What another agent keeps of a voice agent's conversation (agent 8.4)."""

from datetime import datetime

from eunoe import ids
from eunoe.domain.followups import lines_of
from eunoe.domain.origins import Origin
from eunoe.domain.overheard import ChunksKept, Overheard, passage_text
from eunoe.domain.passages import Passage
from eunoe.domain.tools import ToolResult
from eunoe.store import agents, archives, messages, passage_versions, passages
from eunoe.store.db import Tx


async def lines_overheard(tx: Tx, overheard: Overheard) -> tuple[list[str], list[str]]:
    """Return the lines of what left the view, and of what stayed; deleted messages have none."""
    wanted = (*overheard.left, *overheard.stayed)
    found = await messages.many(tx, wanted) if wanted else {}
    left, stayed = (
        lines_of([found[one] for one in some if one in found])
        for some in (overheard.left, overheard.stayed)
    )
    return left, stayed


async def kept(
    tx: Tx, wanted: ChunksKept, overheard: Overheard | None, *, at: datetime, origin: Origin
) -> ToolResult:
    """Put each chunk into the archive of the agent that was overheard (G24).

    They are found by their words at once; vectors come with that agent's next search.
    """
    agent = None if overheard is None else await agents.get(tx, overheard.agent_id)
    if overheard is None or agent is None:
        return ToolResult(ok=False, output="There is no conversation here of which to store lines.")
    left, stayed = await lines_overheard(tx, overheard)
    lines = left + stayed
    if not lines:
        return ToolResult(ok=False, output="The lines of this conversation have been deleted.")
    archive = await archives.of_agent(tx, agent)
    made = [
        Passage(
            id=ids.new("passage"),
            archive_id=archive.id,
            text=passage_text(chunk, lines),
            created_at=at,
        )
        for chunk in wanted.chunks
    ]
    await passages.insert(tx, made)
    await passage_versions.record(tx, made, "created", origin=origin)
    return ToolResult(ok=True, output=f"Stored {len(made)} chunks.")
