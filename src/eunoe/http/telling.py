"""What is said to callers' URLs of what has ended: it looks as an answer would have."""

from dataclasses import dataclass

from eunoe.domain import approvals
from eunoe.domain.messages import Json
from eunoe.errors import RunExpired
from eunoe.runs.runner import Runner
from eunoe.store import agents, batches, deadlines, jobs, lists, messages, runs
from eunoe.store.db import Actor, Database
from eunoe.wire.call_policies import approval_waits
from eunoe.wire.callbacks import job_callback, run_callback
from eunoe.wire.jobs import shown
from eunoe.wire.messages import lens_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    db: Database
    runner: Runner

    async def run(self, actor: Actor, subject_id: str) -> Json | None:
        """Return what to say of a run (api 8.8), null for one that has been deleted."""
        async with self.db.read(actor) as tx:
            run = await runs.get(tx, subject_id)
            kind = None if run is None else await agents.type_of(tx, run.agent_id)
        if run is None:
            return None
        try:
            outcome = await self.runner.fold(actor, subject_id)
        except RunExpired:
            outcome = None
        return {**run_callback(run, outcome, lens_of(run.options, agent_type=kind))}

    async def batch(self, actor: Actor, subject_id: str) -> Json | None:
        """Return what to say of a batch (streaming 7.7), null for one that has been deleted."""
        async with self.db.read(actor) as tx:
            job = await jobs.get(tx, subject_id, kinds=("batch",))
            results = await batches.results(tx, [subject_id])
        return None if job is None else {**job_callback(shown(job, results[subject_id]))}

    async def approval(self, actor: Actor, subject_id: str) -> Json | None:
        """Return what to say of a request for approval, null for one that waits no more."""
        async with self.db.read(actor) as tx:
            asked = await messages.get(tx, subject_id)
            if asked is None:
                return None
            newest = await lists.newest(tx, asked.conversation_id or asked.agent_id, limit=1)
            request = approvals.pending(newest)
            if request is None or request.message.id != subject_id:
                return None
            found = await deadlines.get(tx, subject_id)
            return {**approval_waits(asked, expires_at=None if found is None else found[1].at)}
