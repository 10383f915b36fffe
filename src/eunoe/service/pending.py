"""Vectors for what was kept in an archive while its embedder was down (FIX-43)."""

from contextlib import suppress
from dataclasses import dataclass

from eunoe.errors import EmbeddingUnknown
from eunoe.runs.jobs import Duty
from eunoe.runs.ports import Providers
from eunoe.runs.recall import embed_pending
from eunoe.store import archives, search
from eunoe.store.db import Actor, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPassages:
    """Carries archives on that have such passages; the duty is to be undertaken by the runner."""

    db: Database
    models: Providers

    def duty(self) -> Duty:
        return Duty(name="archive", carry_out=self.carry_out, pending=self.left)

    async def left(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            return await search.pending_archives(tx)

    async def carry_out(self, name: str) -> None:
        """Give the passages of an archive their vectors; raise what is worth another try."""
        organization_id, _, archive_id = name.partition(" ")
        actor = Actor(organization_id=organization_id)
        async with self.db.read(actor) as tx:
            archive = await archives.get(tx, archive_id)
        if archive is None or archive.embedding is None:
            return
        # Whose embedder is gone is asked about at each scan, in case there is one again.
        with suppress(EmbeddingUnknown):
            embedder = self.models.of(organization_id).embedder_for(archive.embedding)
            await embed_pending(self.db, actor, archive, embedder)
