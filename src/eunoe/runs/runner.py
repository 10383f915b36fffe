"""The runs of this server: one object for the life of the process, behind every entry point."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import structlog

from eunoe import telemetry
from eunoe.domain.agents import Agent
from eunoe.domain.events import RunEvent
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run
from eunoe.domain.tools import ToolResult
from eunoe.engine.asking import request
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.ports import Model, Previewed
from eunoe.errors import EmbeddingUnknown, EunoeError, ModelError, PreviewUnknown
from eunoe.llm.prices import Prices
from eunoe.runs import cancel, rounds, submit
from eunoe.runs.callbacks import CALLBACK
from eunoe.runs.feed import Feed
from eunoe.runs.followups import Following, FollowUps
from eunoe.runs.jobs import EMBED, QUIET, Duty, Ears, Engine
from eunoe.runs.outcome import Outcome, folded
from eunoe.runs.peers import RunPeers
from eunoe.runs.ports import Providers, Toolboxes
from eunoe.runs.recall import embed_pending
from eunoe.runs.retention import Retention, sweep
from eunoe.runs.submit import Claim, Submission, Submitted
from eunoe.runs.tool_calls import ToolCalls
from eunoe.runs.traces import Traced
from eunoe.runs.watch import watch
from eunoe.runs.windows import Windows
from eunoe.runs.worker import Worker
from eunoe.store import agents, events, followups, runs, waiting
from eunoe.store.db import Actor, Database
from eunoe.store.notices import SAID, STOP

_log = structlog.get_logger("eunoe.runner")


class Runner:
    """Takes requests in, carries them out, and shows what comes of them."""

    def __init__(
        self,
        db: Database,
        *,
        models: Providers,
        toolboxes: Toolboxes,
        retention: Retention | None = None,
        grace_s: float = 10.0,
        trace: Callable[[Model], Traced] | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._db = db
        self._retention = retention or Retention()
        self._grace_s = grace_s
        self._feed = Feed(db)
        self._asked = asyncio.Event()
        self.windows = Windows()
        self._models = models
        self._follow_ups = FollowUps(db=db, queue=lambda: self._engine)
        self._worker = Worker(
            db=db,
            feed=self._feed,
            windows=self.windows,
            models=models,
            toolboxes=toolboxes,
            remember=self.remember,
            peers=self._peers,
            follow_ups=self._follow_ups,
            tell=self._tell,
            trace=trace,
            price=(prices or Prices()).of,
        )
        self._tool_calls = ToolCalls(db=db, toolboxes=toolboxes, peers=self._peers)
        self._engine = Engine(
            db,
            self._worker.carry_out,
            unfinished=self._unfinished,
            embed=self._embed,
            sweep=self.sweep,
            ears=self._ears(),
        )
        self._watch: asyncio.Task[None] | None = None
        self._drain: asyncio.Task[None] | None = None
        self._deadline: float | None = None

    def _ears(self) -> Ears:
        """Return what this process makes of the notices of others."""

        def grown(run_id: str | bytes | bytearray) -> None:
            self._feed.grown(str(run_id))

        def stop(run_id: str | bytes | bytearray) -> None:
            if run_id in self._worker.running:
                self._asked.set()

        return Ears(heard={SAID: grown, STOP: stop}, listening=self._feed.listening)

    def undertake(self, duty: Duty) -> None:
        """Take on a kind of work beside the runs; before the start."""
        self._engine.undertake(duty)

    async def due(self, duty: str, name: str, *, delay: timedelta = timedelta()) -> None:
        """Have a duty carried out soon, rather than at the next scan; call it after the commit."""
        await self._engine.due(duty, name, delay=delay)

    async def start(self) -> None:
        """Start working, first on what a past process left undone (G-1)."""
        await self._engine.start()
        self._watch = asyncio.create_task(watch(self._db, self._worker.running, self._asked))

    @property
    def draining(self) -> bool:
        """Whether this process is about to stop."""
        return self._deadline is not None

    def drain(self, then: Callable[[], object]) -> None:
        """Begin to stop: call `then` once nothing runs here any more, or the grace is over.

        Other processes take what is left, and readers are told to ask those (streaming 8.5). The
        one process of SQLite leaves at once and works on until `stop`.
        """
        if self._deadline is None:
            self._deadline = monotonic() + self._grace_s
            telemetry.record_readiness("draining")
            self._drain = asyncio.create_task(self._drained(self._deadline, then))

    async def _drained(self, deadline: float, then: Callable[[], object]) -> None:
        if self._db.dialect == "postgresql":
            await self._engine.stop(grace_s=self._grace_s)
        then()
        await asyncio.sleep(deadline - monotonic())
        await self._engine.stop(grace_s=0)
        self._feed.close()

    async def stop(self) -> None:
        """Let what runs finish within the grace; the rest is left to the next owner."""
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.wait([self._drain])
        left_s = self._grace_s if self._deadline is None else self._deadline - monotonic()
        await self._engine.stop(grace_s=max(left_s, 0))
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None

    async def preview(self, actor: Actor, submission: Submission) -> Json:
        """Return the body of the provider's first request for a submission; nothing is stored.

        Raises `Missing` for an unknown agent, and `PreviewUnknown`.
        """
        run, said = submit.rehearsal(submission)
        turn, ports = await self._worker.rehearsed(run, actor, said)
        if not isinstance(ports.model, Previewed):
            raise PreviewUnknown
        return await ports.model.preview(request(turn, ports))

    async def _unfinished(self, young: datetime) -> list[str]:
        async with self._db.read(Actor()) as tx:
            left = [
                *await runs.unfinished(tx, young=young),
                *await followups.pending(tx),
                *await waiting.first_of_free(tx),
            ]
        return [run_id for run_id in left if run_id not in self._worker.running]

    async def sweep(self) -> None:
        """Delete the logs, traces and kept answers that are older than they are kept (G-22)."""
        await sweep(self._db, self._retention)

    def _peers(
        self, *, actor: Actor, agent: Agent, run: Run, cancellation: Cancellation
    ) -> RunPeers:
        return RunPeers(
            db=self._db, entrance=self, actor=actor, agent=agent, run=run, cancellation=cancellation
        )

    async def remember(self, actor: Actor, agent_id: str) -> None:
        """Have vectors made for all that the agent has said, once it was quiet for a moment."""
        await self._engine.due(EMBED, f"{actor.organization_id} {agent_id}", delay=QUIET)

    async def _tell(self, run_id: str) -> None:
        await self._engine.due(CALLBACK, run_id)

    async def _embed(self, who: str) -> None:
        """Give vectors to what the agent has said, unless its embedder is down."""
        organization_id, _, agent_id = who.partition(" ")
        actor = Actor(organization_id=organization_id)
        async with self._db.read(actor) as tx:
            agent = await agents.get(tx, agent_id)
        if agent is None or agent.embedding is None:
            return
        try:
            embedder = self._models.of(organization_id).embedder_for(agent.embedding)
            await embed_pending(self._db, actor, agent, embedder)
        except (ModelError, EmbeddingUnknown) as error:
            _log.warning("memory.not_embedded", agent_id=agent_id, code=error.code)

    async def submit(
        self, actor: Actor, submission: Submission, *, claim: Claim | None = None
    ) -> Submitted:
        """Take a request in; when this returns its input is stored and in the window.

        Raises `ListBusy`, `OtidReused` or `Missing`, and then nothing has happened; so does
        `claim`, which says in the same transaction whether there is to be a run at all.
        """
        made = await submit.submit(
            self._db, self._engine, self._feed, actor, submission, claim=claim
        )
        if made.stops is not None and made.stops in self._worker.running:
            self._worker.running[made.stops].request()
        if made.stops is not None:
            self._engine.warn(made.stops)
        if made.waits:
            # Who had the list may have left it before there was anybody to hand it to.
            await self._follow_ups.begin(Following(planned=(made.run.id,)))
        return made

    async def call_tool(
        self, actor: Actor, agent_id: str, name: str, *, arguments: Json
    ) -> ToolResult:
        """Call a tool of an agent outside of any run; raise `Missing` or `ToolMissing`."""
        return await self._tool_calls.call(actor, agent_id, name, arguments=arguments)

    def read(
        self, actor: Actor, run_id: str, *, after: int = 0
    ) -> AsyncGenerator[tuple[int, RunEvent]]:
        """Yield the run's events past `after`: those stored, then live, ending after `Ended`."""
        return self._feed.read(actor, run_id, after=after)

    def read_round(
        self, actor: Actor, run_id: str, *, after: int = 0
    ) -> AsyncGenerator[tuple[int, RunEvent]]:
        """Yield what a group says from this run on past `after`, turn by turn, with one end."""
        return rounds.read_round(self._db, self.read, actor, run_id, after=after)

    async def fold(self, actor: Actor, run_id: str, *, whole_round: bool = False) -> Outcome:
        """Wait until the run has ended, or the round that begins with it; return all it said."""
        said = self.read_round(actor, run_id) if whole_round else self.read(actor, run_id)
        return await folded(said, run_id)

    async def cancel(
        self,
        actor: Actor,
        *,
        agent_id: str | None = None,
        conversation_id: str | None = None,
        run_ids: Sequence[str] | None = None,
        wait_s: float = 0,
    ) -> dict[str, str]:
        """Stop runs: those given, else the active ones of the agent or conversation.

        Returns each run's id with `cancelled`, or the status with which it has ended otherwise;
        raises `NothingToCancel`. Waits at most `wait_s` for them to end, so that who is told
        finds them over, their lists free.
        """
        told = await self._stopped(actor, agent_id, conversation_id, run_ids)
        stopping = [run_id for run_id, outcome in told.items() if outcome == "cancelled"]
        if wait_s and stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    for run_id in stopping:
                        await self._over(actor, run_id)
            # One that had just ended, or asked for approval, is told of as it is now.
            told |= await self._stopped(actor, agent_id, conversation_id, stopping)
        return told

    async def _over(self, actor: Actor, run_id: str) -> None:
        """Wait until the run has ended, or cannot be followed any more."""
        async with self._db.read(actor) as tx:
            last = await events.last_seq(tx, run_id)
        with suppress(EunoeError):
            async for _ in self.read(actor, run_id, after=last):
                pass

    async def _stopped(
        self,
        actor: Actor,
        agent_id: str | None,
        conversation_id: str | None,
        run_ids: Sequence[str] | None,
    ) -> dict[str, str]:
        done = await cancel.cancel(
            self._db,
            self._worker.running,
            self._engine.warn,
            actor,
            agent_id=agent_id,
            conversation_id=conversation_id,
            run_ids=run_ids,
        )
        for run_id in done.unsaid:
            self._feed.forget(run_id)
        await self._follow_ups.begin(Following(planned=tuple(done.following)))
        return done.outcomes
