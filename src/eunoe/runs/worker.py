"""Carrying out a run: take it over, load what it needs in one read, give it to the loop."""

import itertools
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from eunoe import telemetry
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.conversations import Conversation, voiced
from eunoe.domain.costs import Price
from eunoe.domain.drafts import ModelWish
from eunoe.domain.files import Directory
from eunoe.domain.heartbeats import SEND_MESSAGE
from eunoe.domain.messages import Message, Text
from eunoe.domain.model_settings import wished
from eunoe.domain.models import ModelConfig
from eunoe.domain.recall import CONVERSATION_SEARCHES
from eunoe.domain.runs import Run
from eunoe.domain.tool_rules import History
from eunoe.domain.tools import Tool, ToolResult
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.dialects import Aloud, dialect_of
from eunoe.engine.failures import REFUSALS, crash_ending, ending_of, restart_ending
from eunoe.engine.loop import run_turn
from eunoe.engine.ports import Model
from eunoe.engine.turn import Ports, Turn
from eunoe.errors import DiskFull, EunoeError, FenceLost, Missing
from eunoe.runs import approvals
from eunoe.runs.feed import Feed
from eunoe.runs.followups import FollowUps
from eunoe.runs.jobs import Owned, present
from eunoe.runs.journal import Rehearsal, RunJournal
from eunoe.runs.ports import MakePeers, Models, Providers, Toolboxes
from eunoe.runs.speakers import summariser
from eunoe.runs.traces import Traced
from eunoe.runs.windows import Kept, Windows, cleared, closed, last_turn
from eunoe.store import (
    agents,
    budgets,
    conversations,
    events,
    file_blocks,
    isolated_blocks,
    runs,
    tools,
)
from eunoe.store.db import Actor, Database, UniqueViolated
from eunoe.store.own import there

# A run that takes its process down with it must not do so for ever; each step earns it an owner.
_MOST_OWNERS: Final = 10

_log = structlog.get_logger("eunoe.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    agent: Agent
    conversation: Conversation | None
    blocks: tuple[Block, ...]
    directories: tuple[Directory, ...]
    tools: tuple[Tool, ...]
    kept: Kept
    ledger: dict[str, ToolResult | None]
    history: History
    last_seq: int
    overspent: bool


@dataclass(slots=True, kw_only=True)
class Worker:
    """Carries out runs, any number at once; knows those that go on here."""

    db: Database
    feed: Feed
    windows: Windows
    models: Providers
    toolboxes: Toolboxes
    remember: Callable[[Actor, str], Awaitable[None]]
    """Called after a run that searched what was said: the rest is to be found by meaning too."""
    peers: MakePeers
    follow_ups: FollowUps
    tell: Callable[[str], Awaitable[None]]
    """Called after the end of a run whose caller wants to be told of it."""
    trace: Callable[[Model], Traced] | None = None
    """Has what a model is asked and answers kept, where that is wanted."""
    price: Callable[[ModelConfig], Future[Price | None]] | None = None
    """Looks up what a model costs, without waiting for it."""
    now: Callable[[], datetime] = present
    running: dict[str, Cancellation] = field(default_factory=dict[str, Cancellation])

    async def carry_out(self, run_id: str, owned: Owned | None = None) -> None:
        """Bring the run to its end, taking it over first unless it is `owned` here already.

        Does nothing for one that has ended or that goes on here. Raises what the database
        refused; the run is then to be tried again, from what is stored.
        """
        if run_id in self.running:
            return
        cancellation = self.running[run_id] = Cancellation()
        try:
            owned = owned or await self._claimed(run_id)
            if owned is None:
                return
            run, actor = owned
            cancellation.fence = run.fence
            if run.cancel_requested:
                cancellation.request()
            with telemetry.bind(run_id=run.id, agent_id=run.agent_id), _span_of(run):
                if run.fence > 1:
                    telemetry.count("run_recovered_total")
                else:
                    waited_ms = (self.now() - run.created_at).total_seconds() * 1000
                    telemetry.measure("request_admission_wait_ms", waited_ms, route_class="runs")
                with telemetry.in_flight(background=run.background, route_class="runs"):
                    await self._carry_out(run, actor, cancellation)
        except FenceLost:
            _log.warning("run.fence_lost", run_id=run_id)
        except DiskFull as full:
            self.feed.stall(run_id, full)
            raise
        finally:
            self.running.pop(run_id, None)

    async def rehearsed(
        self, run: Run, actor: Actor, said: Sequence[Message]
    ) -> tuple[Turn, Ports]:
        """Return a turn as it would begin with `said`; nothing of it is stored or carried out."""
        loaded = await self._load(run, actor)
        kept = replace(loaded.kept, messages=(*loaded.kept.messages, *said), read=())
        if loaded.agent.message_buffer_autoclear:
            kept = last_turn(kept)
        loaded = replace(loaded, kept=kept)
        journal = self._journal(run, actor, loaded, kind=Rehearsal)
        self.feed.forget(run.id)
        return await self._prepared(run, actor, loaded, journal, Cancellation())

    async def _claimed(self, run_id: str) -> Owned | None:
        """Take the run over, beginning it first where it was only planned; null for one that ended.

        Raises `ListBusy` for a plan that has to wait.
        """
        async with self.db.write(Actor()) as tx:
            owned = await runs.claim(tx, run_id)
        if owned is not None:
            return owned
        # Somebody else may begin it at the same moment; then it is there now all the same.
        await self.follow_ups.begun(run_id)
        async with self.db.write(Actor()) as tx:
            return await runs.claim(tx, run_id)

    async def _carry_out(self, run: Run, actor: Actor, cancellation: Cancellation) -> None:
        try:
            loaded = await self._load(run, actor)
        except Missing:
            # The agent went away with everything of it, this run included.
            self.feed.forget(run.id)
            return
        if loaded.agent.message_buffer_autoclear:
            async with self.db.write(actor) as tx:
                await runs.hold(tx, run)
                loaded = replace(loaded, kept=await cleared(tx, run.list_id, loaded.kept))
        journal = self._journal(run, actor, loaded)
        ended = False
        try:
            await self._to_its_end(run, actor, loaded, journal, cancellation)
            ended = True
        finally:
            await journal.recorder.close()
            if not ended:
                # Whoever owns it next goes on from what is stored, and readers follow the log.
                self.feed.forget(run.id)
                self.windows.drop(run.list_id)
        if run.options.callback_url is not None:
            await self.tell(run.id)
        if loaded.agent.call_policies is not None:
            for message in journal.kept.messages[-1:]:
                await self.tell(message.id)
        self.windows.keep(run.list_id, closed(journal.kept, config=journal.config))
        if loaded.agent.embedding is not None and _has_searched(run, journal.kept):
            await self.remember(actor, loaded.agent.id)

    def _journal(
        self, run: Run, actor: Actor, loaded: _Loaded, *, kind: type[RunJournal] = RunJournal
    ) -> RunJournal:
        return kind(
            db=self.db,
            actor=actor,
            agent=loaded.agent,
            config=loaded.agent.model,
            blocks=loaded.blocks,
            directories=loaded.directories,
            kept=loaded.kept,
            windows=self.windows,
            recorder=self.feed.recorder(run, actor, last_seq=loaded.last_seq),
            now=self.now,
            unindexed=[(seq, m) for seq, m in loaded.kept.read if m.run_id == run.id],
            on_record=bool(loaded.ledger),
            overspent=loaded.overspent,
            follow_ups=self.follow_ups,
        )

    async def _to_its_end(
        self,
        run: Run,
        actor: Actor,
        loaded: _Loaded,
        journal: RunJournal,
        cancellation: Cancellation,
    ) -> None:
        if run.fence - run.step_count > _MOST_OWNERS:
            await journal.ended(run, step=None, ending=restart_ending(run_id=run.id))
            return
        turn: Turn | None = None
        try:
            turn, ports = await self._prepared(run, actor, loaded, journal, cancellation)
            if self.trace is not None:
                journal.traced = self.trace(ports.model)
                ports = replace(ports, model=journal.traced)
            await run_turn(turn, ports)
        except (*REFUSALS, UniqueViolated):
            # A commit whose answer got lost may have been made: only the store knows.
            raise
        except EunoeError as error:
            ending = ending_of(error, run_id=run.id)
            await journal.ended(turn.run if turn else run, step=None, ending=ending)
        except Exception as error:  # noqa: BLE001 -- the worker's door: a fault ends its run
            _log.exception("run.crashed", error=type(error).__name__)
            telemetry.report(error)
            ending = crash_ending(run_id=run.id)
            await journal.ended(turn.run if turn else run, step=None, ending=ending)

    async def _load(self, run: Run, actor: Actor) -> _Loaded:
        """Read everything the run needs from one snapshot."""
        recovered = run.fence > 1
        history = History()
        async with self.db.read(actor) as tx:
            agent = there(await agents.get(tx, run.agent_id), "agent", run.agent_id)
            kept = await self.windows.load(tx, run.list_id)
            if agent.tool_rules and (recovered or _goes_on(run, kept)):
                history = await approvals.history(tx, run.id)
            conversation_id = run.conversation_id
            return _Loaded(
                agent=agent,
                conversation=await conversations.get(tx, conversation_id)
                if conversation_id is not None
                else None,
                blocks=await isolated_blocks.seen(tx, agent.id, conversation_id=conversation_id),
                directories=await file_blocks.directories(tx, agent.id)
                if agent.has_folders
                else (),
                tools=tuple((await tools.of_agents(tx, [agent.id]))[agent.id]),
                kept=kept,
                ledger=await runs.ledger(tx, run.id) if recovered else {},
                history=history,
                # A run's first event is not in its log.
                last_seq=max(await events.last_seq(tx, run.id), 1) if recovered else 1,
                overspent=run.bounded
                and await budgets.spent(tx, run.agent_id, now=self.now()) is not None,
            )

    async def _prepared(
        self,
        run: Run,
        actor: Actor,
        loaded: _Loaded,
        journal: RunJournal,
        cancellation: Cancellation,
    ) -> tuple[Turn, Ports]:
        models = self.models.of(actor.organization_id)
        options = run.options
        overridden = options.override_model is not None
        agent = await _voiced(loaded, models=models, overridden=overridden)
        journal.agent, config = agent, agent.model
        if options.override_model is not None:
            listed = await models.resolve(options.override_model)
            config = wished(listed, ModelWish(), agent_type=agent.agent_type)
        journal.config = config
        await journal.prepared(run)
        turn = Turn(
            run=run,
            window=journal.window,
            config=config,
            input_id=_input_id(run, journal.kept),
            user=actor.user_id,
            ledger=loaded.ledger,
            history=loaded.history,
            resumed=_goes_on(run, journal.kept),
            system_override=_override(run, journal.kept.system),
            trace_id=telemetry.trace_id(),
            price=None if self.price is None else self.price(config),
        )
        ports = Ports(
            model=models.model_for(config),
            summariser=await summariser(agent.compaction, own=config, models=models),
            toolbox=self.toolboxes(
                actor=actor,
                agent=agent,
                tools=loaded.tools,
                peers=self.peers(actor=actor, agent=agent, run=run, cancellation=cancellation),
                conversation_id=run.conversation_id,
            ),
            journal=journal,
            emit=journal.recorder.emit,
            dialect=Aloud(sends=any(tool.name == SEND_MESSAGE for tool in loaded.tools))
            if options.aloud
            else dialect_of(agent, config),
            cancellation=cancellation,
            now=self.now,
        )
        return turn, ports


def _span_of(run: Run) -> AbstractContextManager[telemetry.Span]:
    """Open the span of a run: part of who waits for it, else linked to who asked for it."""
    asked = run.options.traceparent
    if run.background:
        return telemetry.span("agent_run", follows=asked)
    return telemetry.span("agent_run", within=asked)


async def _voiced(loaded: _Loaded, *, models: Models, overridden: bool) -> Agent:
    """Return the agent as it speaks in the run's conversation (L5).

    Where the request names the model, the conversation's may be gone.
    """
    conversation = loaded.conversation
    if conversation is None:
        return loaded.agent
    handle = None if overridden else conversation.model
    listed = None if handle is None else await models.resolve(handle)
    return voiced(loaded.agent, conversation, listed=listed)


def _has_searched(run: Run, kept: Kept) -> bool:
    return any(
        call.name in CONVERSATION_SEARCHES
        for message in itertools.takewhile(
            lambda message: message.run_id == run.id, reversed(kept.messages)
        )
        for call in message.calls
    )


def _first(run: Run, kept: Kept) -> Message | None:
    """Return the first message of the run's input, which stands near the end."""
    first: Message | None = None
    for message in reversed(kept.messages):
        if message.run_id != run.id:
            break
        first = message
    return first


def _input_id(run: Run, kept: Kept) -> str | None:
    first = _first(run, kept)
    return None if first is None else first.id


def _goes_on(run: Run, kept: Kept) -> bool:
    """Whether the run answers a request, and so goes on with the turn of another run."""
    first = _first(run, kept)
    return first is not None and first.request_id is not None


def _override(run: Run, system: Message) -> Message | None:
    text = run.options.override_system
    return None if text is None else replace(system, content=(Text(text=text),))
