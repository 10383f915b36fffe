"""A run's durable memory: each checkpoint is one transaction, guarded by the run's fence.

What belongs together is committed together (G-2): the reply, its step, its place in
the window, the events that show it and, where the run ends, its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eunoe import ids, telemetry
from eunoe.domain import approvals
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.call_policies import Deadline
from eunoe.domain.edits import PassageInsert
from eunoe.domain.envelopes import heartbeat_envelope
from eunoe.domain.events import Ended, Ending, RunEvent, Shown, Stopped, Used, metadata_of
from eunoe.domain.files import Directory
from eunoe.domain.heartbeats import Aftermath
from eunoe.domain.messages import Json, Message, Text, ToolCall, ToolReturn, text_of, unanswered
from eunoe.domain.models import ModelConfig
from eunoe.domain.pairing import UNKNOWN_OUTCOME
from eunoe.domain.prompt import is_current, stable_text, system_text
from eunoe.domain.runs import Run, Step, finished
from eunoe.domain.times import stamp
from eunoe.domain.tokens import turns_of
from eunoe.domain.tools import ToolResult
from eunoe.domain.views import views
from eunoe.engine.ports import Follow, Settled, Window
from eunoe.engine.tool_rules import told
from eunoe.runs import memory, traces
from eunoe.runs.deadlines import noted
from eunoe.runs.feed import Numbered, Recorder
from eunoe.runs.followups import Following, FollowUps
from eunoe.runs.windows import Kept, Windows, window_of
from eunoe.store import callbacks, facts, file_blocks, lists, runs, search, steps
from eunoe.store import messages as stored
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.events import append as log

_WELL: Final = frozenset({"end_turn", "tool_rule", "max_steps"})


@dataclass(slots=True, kw_only=True)
class RunJournal:
    """Writes for one run while this process owns it; keeps its window as the store has it."""

    db: Database
    actor: Actor
    agent: Agent
    config: ModelConfig
    blocks: tuple[Block, ...]
    kept: Kept
    windows: Windows
    recorder: Recorder
    now: Callable[[], datetime]
    unindexed: list[tuple[int, Message]]
    """Input of the run that no search finds yet: it is indexed with the first checkpoint."""
    follow_ups: FollowUps
    directories: tuple[Directory, ...] = ()
    on_record: bool = False
    """Whether the ledger holds calls of the reply that is being acted on."""
    traced: traces.Traced | None = None
    """The model, where what it is asked and answers is kept."""
    overspent: bool = False
    following: str | None = None
    """The run that waited for the list which the end has left."""

    @property
    def window(self) -> Window:
        return window_of(self.kept, agent=self.agent, blocks=self.blocks, config=self.config)

    async def prepared(self, run: Run) -> None:
        """Rebuild the list's system message when what it is made from has changed (L23)."""
        stable = stable_text(self.agent, self.blocks, self.directories)
        if is_current(text_of(self.kept.system), stable=stable):
            return
        async with self.db.write(self.actor) as tx:
            await runs.hold(tx, run)
            kept = await self._rebuilt(tx, run, self.kept)
        self.kept = kept

    async def answered(
        self,
        run: Run,
        *,
        step: Step,
        said: Sequence[Message],
        events: Sequence[RunEvent],
        ending: Ending | None,
        deadline: Deadline | None = None,
    ) -> Window:
        async with self.recorder.writing(events) as rows:
            async with self.db.write(self.actor) as tx:
                await self._advance(tx, run, ending)
                self.overspent = await traces.store(tx, step, self.traced)
                kept = await self._appended(tx, run, said)
                await noted(tx, self.agent, said, deadline, now=self.now())
                due = await self._closed(tx, run, ending, kept, rows)
                await log(tx, run.id, rows)
            self.kept, self.unindexed = kept, []
            await self.follow_ups.begin(due)
        return self.window

    async def calls_started(self, run: Run, calls: Sequence[ToolCall]) -> None:
        if not calls:
            return
        async with self.db.write(self.actor) as tx:
            await runs.hold(tx, run)
            started = [(call.id, call.name) for call in calls]
            await runs.call_started(tx, run.id, started, at=self.now())
        self.on_record = True

    async def call_ended(self, run: Run, call: ToolCall, result: ToolResult) -> None:
        async with self.db.write(self.actor) as tx:
            await runs.hold(tx, run)
            await runs.call_ended(tx, run.id, [(call.id, result)], at=self.now())

    async def settled(
        self,
        run: Run,
        *,
        step: Step | None,
        settled: Sequence[Settled],
        ending: Ending | None,
        follow: Follow | None = None,
        reply: Message | None = None,
        events: Sequence[RunEvent] = (),
    ) -> tuple[Window, Ending | None]:
        made = reply or self._maker_of(settled)
        step_id = step.id if step else made and made.step_id
        source = memory.Source(
            agent=self.agent, run=run, step_id=step_id, message_id=made and made.id, now=self.now()
        )
        async with self.recorder.writing(events) as rows:
            async with self.db.write(self.actor) as tx:
                await (self._advance(tx, run, ending) if follow is None else runs.hold(tx, run))
                kept = await self._appended(tx, run, [] if reply is None else [reply])
                returns, blocks = await memory.settle(tx, settled, source=source)
                said = [_returning(run, returns, step_id=step_id, at=source.now)]
                if follow is not None:
                    ending, woken = self._followed(follow(returns), ending, run, source)
                    said += woken
                    await self._advance(tx, run, ending)
                    kept = await self._decided(tx, kept, made, heartbeat=ending is None)
                    if step is not None and ending is not None:
                        step = replace(step, stop_reason=ending.reason)
                # Shown is what only the transaction has found out.
                self.recorder.add(rows, [Shown(view=views(said[0])[0])])
                if self.on_record:
                    await runs.calls_settled(tx, run.id)
                if step is not None:
                    spent = await traces.store(tx, step, self.traced, again=reply is None)
                    self.overspent = self.overspent or spent
                kept = await self._appended(tx, run, said, onto=kept)
                if blocks is None:
                    # Whoever else has them may have changed them meanwhile (FIX-4b).
                    blocks = self.blocks if ending else await memory.seen(tx, source)
                directories = await self._directories(tx)
                archives = any(isinstance(one.outcome, PassageInsert) for one in settled)
                stable = stable_text(self.agent, blocks, directories)
                if archives or not is_current(text_of(kept.system), stable=stable):
                    kept = await self._rebuilt(
                        tx, run, kept, blocks=blocks, directories=directories
                    )
                due = await self._closed(tx, run, ending, kept, rows)
                await log(tx, run.id, rows)
            self.kept, self.blocks, self.directories = kept, blocks, directories
            self.unindexed, self.on_record = [], False
            await self.follow_ups.begin(due)
        return self.window, ending

    def _followed(
        self, after: Aftermath, ending: Ending | None, run: Run, source: memory.Source
    ) -> tuple[Ending | None, list[Message]]:
        """Return how the run ends, if it does, else what wakes the agent up (S39a, L56)."""
        if ending is None and after.stop is not None:
            ending = Ending(reason=after.stop)
        if ending is not None:
            return ending, []
        text = heartbeat_envelope(
            after.told, at=source.now, timezone=self.agent.timezone, ok=after.ok
        )
        return None, [told(text, run=run, step_id=source.step_id, at=source.now)]

    async def _decided(self, tx: Tx, kept: Kept, made: Message | None, *, heartbeat: bool) -> Kept:
        """Put on record whether the agent is woken after its call, whatever it asked for (L58)."""
        if made is None or all(call.heartbeat in {None, heartbeat} for call in made.calls):
            return kept
        calls = tuple(
            call if call.heartbeat is None else replace(call, heartbeat=heartbeat)
            for call in made.calls
        )
        changed = replace(made, calls=calls)
        await stored.rewrite(tx, changed)
        said = tuple(changed if one is made else one for one in kept.messages)
        return replace(kept, messages=said)

    async def compacted(
        self, run: Run, *, evicted: Sequence[str], summary: Message, events: Sequence[RunEvent]
    ) -> Window:
        async with self.recorder.writing(events) as rows:
            async with self.db.write(self.actor) as tx:
                await runs.advance(tx, run)
                await lists.evict(tx, run.list_id, evicted, summary=summary)
                kept = await self.windows.load(tx, run.list_id)
                kept = await self._rebuilt(tx, run, kept)
                await log(tx, run.id, rows)
            self.kept = kept
        return self.window

    async def ended(self, run: Run, *, step: Step | None, ending: Ending) -> None:
        closing = self._closing(run)
        more = [Shown(view=view) for message in closing for view in views(message)]
        async with self.recorder.writing(more) as rows:
            async with self.db.write(self.actor) as tx:
                await self._advance(tx, run, ending)
                if step is None:
                    await steps.stop_last(tx, run.id, ending.reason)
                else:
                    await traces.store(tx, step, self.traced)
                kept = await self._appended(tx, run, closing)
                due = await self._closed(tx, run, ending, kept, rows)
                await log(tx, run.id, rows)
            self.kept = kept
            await self.follow_ups.begin(due)

    def _closing(self, run: Run) -> list[Message]:
        """Return what answers the calls that the run leaves open: an error each (G-2, G-14)."""
        known: Mapping[str, ToolResult | None] = {}
        due = approvals.due(self.kept.messages)
        if due is not None:
            made, calls = due.request.message, list(due.request.calls)
            known = approvals.outcomes(due.answers)
        else:
            made = next((m for m in reversed(self.kept.messages) if m.role == "assistant"), None)
            calls = unanswered(self.kept.messages)
            if made is None or made.run_id != run.id or not calls:
                return []
        now = self.now()
        time = stamp(now, timezone=self.agent.timezone)
        lost = ToolResult(ok=False, output=UNKNOWN_OUTCOME)
        returns = [memory.returned(call, known.get(call.id) or lost, time=time) for call in calls]
        return [_returning(run, returns, step_id=made.step_id, at=now)]

    async def _advance(self, tx: Tx, run: Run, ending: Ending | None) -> None:
        if ending is None:
            await runs.advance(tx, run)
            return
        now = self.now()
        duration_ns = int((now - run.created_at).total_seconds() * 1e9)
        done = finished(run, reason=ending.reason, at=now, duration_ns=duration_ns)
        if ending.error is not None:
            done = replace(done, metadata={**run.metadata, "error": metadata_of(ending.error)})
        self.following = await runs.end(tx, done)
        if run.options.callback_url is not None:
            await callbacks.insert(tx, run.id, run.options.callback_url, at=now)
        telemetry.record_run_finished(
            status=done.status,
            stop_reason=ending.reason,
            run_type=str(run.metadata.get("run_type")),
        )

    async def _closed(
        self, tx: Tx, run: Run, ending: Ending | None, kept: Kept, rows: list[Numbered]
    ) -> Following:
        """Put the last words of a run that ends behind `rows`; return the runs that follow it.

        Only a turn that is over and went well is followed (FIX-63).
        """
        if ending is None:
            return Following()
        due = Following()
        if ending.reason in _WELL and (self.agent.enable_sleeptime or run.options.turn is not None):
            due = await self.follow_ups.plan(tx, run, agent=self.agent, said=kept.messages)
        self.recorder.add(rows, _last_words(run, ending, due.run_ids, kept.messages))
        if self.following is not None:
            due = replace(due, planned=(*due.planned, self.following))
        return due

    async def _appended(
        self, tx: Tx, run: Run, said: Sequence[Message], *, onto: Kept | None = None
    ) -> Kept:
        kept = onto or self.kept
        seqs = await lists.append(tx, run.list_id, said)
        new = [*self.unindexed, *zip(seqs, said, strict=True)]
        await search.index_messages(tx, [m for _, m in new], [seq for seq, _ in new])
        if not seqs:
            return kept
        return replace(kept, messages=(*kept.messages, *said), seq=seqs[-1])

    async def _directories(self, tx: Tx) -> tuple[Directory, ...]:
        """Return the agent's folders as they are now."""
        return await file_blocks.directories(tx, self.agent.id) if self.agent.has_folders else ()

    async def _rebuilt(
        self,
        tx: Tx,
        run: Run,
        kept: Kept,
        *,
        blocks: tuple[Block, ...] | None = None,
        directories: tuple[Directory, ...] | None = None,
    ) -> Kept:
        """Store the system message anew, made of what is given or else of what is known."""
        outside = await facts.facts(
            tx,
            agent_id=run.agent_id,
            list_id=run.list_id,
            conversation_id=run.conversation_id,
            now=self.now(),
        )
        text = system_text(
            self.agent,
            self.blocks if blocks is None else blocks,
            outside,
            directories=self.directories if directories is None else directories,
        )
        system = replace(kept.system, content=(Text(text=text),))
        await self._store_system(tx, run, system)
        return replace(
            kept,
            version=kept.version + 1,
            system=system,
            clean=(system, *kept.clean[1:]) if kept.clean else (),
        )

    async def _store_system(self, tx: Tx, run: Run, system: Message) -> None:
        await lists.rewrite_system(tx, run.list_id, system)

    def _maker_of(self, settled: Sequence[Settled]) -> Message | None:
        """Return the message that made the calls."""
        wanted = {one.call.id for one in settled}
        return next(
            (m for m in reversed(self.kept.messages) if wanted & {call.id for call in m.calls}),
            None,
        )


@dataclass(slots=True, kw_only=True)
class Rehearsal(RunJournal):
    """The journal of a turn that is only looked at: what it is made from is read, never written."""

    async def prepared(self, run: Run) -> None:
        async with self.db.read(self.actor) as tx:
            stable = stable_text(self.agent, self.blocks, self.directories)
            if not is_current(text_of(self.kept.system), stable=stable):
                self.kept = await self._rebuilt(tx, run, self.kept)

    async def _store_system(self, tx: Tx, run: Run, system: Message) -> None:
        return


def _returning(
    run: Run, returns: Sequence[ToolReturn], *, step_id: str | None, at: datetime
) -> Message:
    return Message(
        id=ids.new("message"),
        role="tool",
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        returns=tuple(returns),
        group_id=run.options.group_id,
        step_id=step_id,
        run_id=run.id,
        created_at=at,
    )


def _last_words(
    run: Run, ending: Ending, due: tuple[str, ...], said: Sequence[Message]
) -> list[RunEvent]:
    """Return the terminal sequence of streaming 2.15; `due` are the runs that follow."""
    used = Used(
        usage=run.usage,
        step_count=run.step_count,
        context_tokens=run.context_tokens,
        run_ids=due or None,
        **_tokens(run, said),
    )
    error = [] if ending.error is None else [ending.error]
    return [Stopped(reason=ending.reason), used, *error, Ended()]


def _tokens(run: Run, said: Sequence[Message]) -> Json:
    """Return what is told of the run's tokens, as far as that was asked for."""
    wanted, told = run.options.tokens, dict(run.told_tokens)
    if wanted is None or not told:
        return {}
    last = run.told_tokens[-1][1].logprobs
    own = [message for message in said if message.run_id == run.id]
    return {
        "logprobs": None if wanted.top is None else last,
        "turns": tuple(turns_of(own, told)) if wanted.ids else None,
    }
