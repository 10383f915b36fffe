"""Making a window smaller: a summary takes the place of its oldest messages.

It always comes to an end with a smaller window: a summariser that fails, or has
nothing to say, is asked twice at most and then done without. Evicted messages
stay stored; only what the model sees changes. No transaction is open meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from eunoe import ids
from eunoe.domain import compaction, summaries
from eunoe.domain.agents import CompactionMode, CompactionSettings
from eunoe.domain.compaction import Choice
from eunoe.domain.compaction_prompts import default_prompt
from eunoe.domain.messages import Message, Text, text_of
from eunoe.domain.summaries import Stats
from eunoe.domain.times import stamp
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import cleaned, estimate_tokens, thinks
from eunoe.engine.ports import Window
from eunoe.engine.summarise import FAULTS, Speaker, Task, own_summary, transcript_summary
from eunoe.errors import SystemPromptTooLarge

OVERFLOW: Final = "context_window_exceeded"
_MAX_SCALE: Final = 2.0
_TRUNCATION_BYTES_PER_TOKEN: Final = 0.2
_MIN_TRUNCATION_BYTES: Final = 2_000
_SUMMARY_BYTES_PER_TOKEN: Final = 0.5

Selection = Literal["all", "sliding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why and when a window is compacted.

    `trigger` is null where somebody asked for it. `estimate` is the window's size in
    tokens as the provider last reported it. `keep_from` is the id of the first message
    of the input that is being answered (FIX-47). `settings` stand in for the agent's.
    """

    trigger: str | None
    now: datetime
    estimate: int | None = None
    keep_from: str | None = None
    settings: CompactionSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What a compaction came to, yet to be stored.

    `summary` belongs where the first of the evicted stood, before all input that stays.
    `text` is the bare summary; `faults` are the codes of the errors on the way to it.
    """

    evicted: tuple[str, ...]
    summary: Message
    text: str
    stats: Stats
    tokens_after: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """One way to do it: by whom the summary is written, and of what."""

    selection: Selection
    by_self: bool = False

    @property
    def mode(self) -> CompactionMode:
        if self.selection == "all":
            return "self_compact_all" if self.by_self else "all"
        return "self_compact_sliding_window" if self.by_self else "sliding_window"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """All that one compaction is given."""

    window: Window
    occasion: Occasion
    settings: CompactionSettings
    own: Speaker
    summariser: Speaker
    tools: Sequence[ToolSchema]
    faults: list[str] = field(default_factory=list[str])

    def tokens(self, messages: Sequence[Message]) -> int:
        """Return about how many tokens the window takes with `messages` in it."""
        config = self.own.config
        clean = cleaned(
            messages, context_window=config.context_window, keep_reasoning=thinks(config)
        )
        return estimate_tokens(system=text_of(self.window.system), messages=clean, tools=self.tools)


async def compact(
    window: Window,
    *,
    occasion: Occasion,
    own: Speaker,
    summariser: Speaker,
    tools: Sequence[ToolSchema],
) -> Compaction | None:
    """Return a smaller window for `window`, null where nothing in it can go.

    `own` is the agent's model, whose window it has to fit and which writes the summary in
    the `self_…` modes. Raises `SystemPromptTooLarge` where no compaction could help (C19).
    """
    work = _Work(
        window=window,
        occasion=occasion,
        settings=occasion.settings or window.agent.compaction,
        own=own,
        summariser=summariser,
        tools=tools,
    )
    if _is_hopeless(work):
        raise SystemPromptTooLarge
    everything = compaction.everything(window.messages, keep_from=occasion.keep_from)
    if all(compaction.is_summary(message) for message in everything.evicted):
        return None
    plan, choice, text = await _summarised(work)
    done = _compaction(work, plan, choice, text)
    if plan.selection == "all" or not _still_full(work, done):
        return done
    # The second pass sums up what the first one left, the first summary included (C19).
    first = (done.summary, *choice.kept)
    rest = compaction.everything(first, keep_from=occasion.keep_from)
    if all(compaction.is_summary(message) for message in rest.evicted):
        return done
    text = await _by_summariser(work, rest.evicted, mode="all")
    stayed = {message.id for message in rest.kept}
    union = Choice(evicted=tuple(m for m in window.messages if m.id not in stayed), kept=rest.kept)
    return _compaction(work, _Plan("all"), union, text)


def _is_hopeless(work: _Work) -> bool:
    """Whether the system message alone is too large, and the provider has not shown otherwise."""
    limit = work.own.config.context_window
    system = estimate_tokens(system=text_of(work.window.system))
    if work.occasion.trigger is None or system < limit:
        return False
    reported = work.occasion.estimate
    return work.occasion.trigger == OVERFLOW or reported is None or reported >= limit


async def _summarised(work: _Work) -> tuple[_Plan, Choice, str]:
    """Return the summary of the first plan that succeeds (C14), of the last in any case."""
    plans = _plans(work)
    for plan in plans[:-1]:
        choice = _chosen(work, plan)
        if choice is None:
            continue
        try:
            return plan, choice, await _by_self(work, choice, mode=plan.mode)
        except FAULTS as fault:
            work.faults.append(fault.code)
    plan = plans[-1]
    choice = _chosen(work, plan)
    if choice is None:
        plan = _Plan("all")
        choice = compaction.everything(work.window.messages, keep_from=work.occasion.keep_from)
    return plan, choice, await _by_summariser(work, choice.evicted, mode=plan.mode)


async def _by_self(work: _Work, choice: Choice, *, mode: CompactionMode) -> str:
    last = work.window.messages.index(choice.evicted[-1])
    said = (work.window.system, *work.window.messages[: last + 1])
    return await own_summary(said, own=work.own, task=_task(work, mode), tools=work.tools)


async def _by_summariser(work: _Work, messages: Sequence[Message], *, mode: CompactionMode) -> str:
    """Return the summariser's text or, where it has none, a truncation (C17)."""
    text, faults = await transcript_summary(
        messages, summariser=work.summariser, task=_task(work, mode), instead=work.own
    )
    work.faults.extend(faults)
    if text is not None:
        return text
    share = int(work.own.config.context_window * _TRUNCATION_BYTES_PER_TOKEN)
    return summaries.truncation(messages, budget_bytes=max(share, _MIN_TRUNCATION_BYTES))


def _task(work: _Work, mode: CompactionMode) -> Task:
    """Return the task with the prompt that was set, else the one for `mode`.

    The default of the agent's mode is no prompt of its own: another mode may be tried.
    """
    prompt, settings = default_prompt(mode), work.settings
    if settings.prompt and settings.prompt != default_prompt(settings.mode):
        prompt = settings.prompt
    return Task(
        prompt=prompt,
        acknowledged=settings.prompt_acknowledgement,
        agent_id=work.window.agent.id,
        now=work.occasion.now,
    )


def _plans(work: _Work) -> list[_Plan]:
    """Return the ways to try, in order; those that send the whole window not on overflow."""
    match work.settings.mode:
        case "all":
            return [_Plan("all")]
        case "sliding_window":
            return [_Plan("all" if _again(work) else "sliding")]
        case "self_compact_all":
            plans = [_Plan("all", by_self=True), _Plan("sliding", by_self=True), _Plan("all")]
            return plans[1:] if work.occasion.trigger == OVERFLOW else plans
        case "self_compact_sliding_window":
            return [_Plan("sliding", by_self=True), _Plan("all")]


def _again(work: _Work) -> bool:
    """Whether this turn has overflowed and been compacted already, so that less must be left."""
    messages = work.window.messages
    source = next((m for m in messages if m.id == work.occasion.keep_from), None)
    return (
        work.occasion.trigger == OVERFLOW
        and source is not None
        and any(m.role == "summary" and m.created_at >= source.created_at for m in messages)
    )


def _chosen(work: _Work, plan: _Plan) -> Choice | None:
    messages, keep_from = work.window.messages, work.occasion.keep_from
    if plan.selection == "all":
        return compaction.everything(messages, keep_from=keep_from)
    target = (1 - work.settings.sliding_window_percentage) * work.own.config.context_window
    scale = _scale(work)
    return compaction.oldest(
        messages,
        keep_from=keep_from,
        share=work.settings.sliding_window_percentage,
        fits=lambda kept: work.tokens(kept) * scale < target,
    )


def _scale(work: _Work) -> float:
    """Return how much more the provider counts than we do, so that the window stays small."""
    if work.occasion.estimate is None:
        return 1.0
    counted = work.tokens(work.window.messages)
    return min(max(work.occasion.estimate / max(counted, 1), 1.0), _MAX_SCALE)


def _still_full(work: _Work, done: Compaction) -> bool:
    limit = compaction.trigger_tokens(work.own.config.context_window)
    return done.tokens_after * _scale(work) >= limit


# What it comes to


def _compaction(work: _Work, plan: _Plan, choice: Choice, text: str) -> Compaction:
    clipped = summaries.clipped(text, chars=_summary_chars(work, plan))
    stats = Stats(
        trigger=work.occasion.trigger or "manual",
        context_tokens_before=work.occasion.estimate or work.tokens(work.window.messages),
        context_tokens_after=None,
        context_window=work.own.config.context_window,
        messages_count_before=1 + len(work.window.messages),
        messages_count_after=2 + len(choice.kept),
    )
    draft = _summary(work, plan, choice, clipped, stats)
    after = work.tokens((draft, *choice.kept))
    stats = replace(stats, context_tokens_after=after)
    summary = replace(_summary(work, plan, choice, clipped, stats), id=draft.id)
    return Compaction(
        evicted=tuple(message.id for message in choice.evicted),
        summary=summary,
        text=clipped,
        stats=stats,
        tokens_after=after,
        faults=tuple(work.faults),
    )


def _summary_chars(work: _Work, plan: _Plan) -> int | None:
    """Return how long a summary may be: as set, and where all else went an eighth of the window.

    A model that repeats what it is to sum up would else leave no room for the next input.
    """
    asked = work.settings.clip_chars
    if plan.selection == "sliding":
        return asked
    most = int(work.own.config.context_window * _SUMMARY_BYTES_PER_TOKEN)
    return most if asked is None else min(asked, most)


def _summary(work: _Work, plan: _Plan, choice: Choice, text: str, stats: Stats) -> Message:
    envelope = summaries.envelope(
        text,
        hidden=len(choice.evicted) if plan.selection == "sliding" else None,
        time=stamp(work.occasion.now, timezone=work.window.agent.timezone),
        stats=None if work.occasion.trigger is None else stats,
    )
    return Message(
        id=ids.new("message"),
        role="summary",
        agent_id=work.window.agent.id,
        content=(Text(text=envelope),),
        conversation_id=work.window.system.conversation_id,
        created_at=work.occasion.now,
    )
