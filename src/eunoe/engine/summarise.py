"""Asking a model for a summary: the agent's own behind its prefix, or another on a transcript."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain import compaction, summaries
from eunoe.domain.events import Finished, TextDelta
from eunoe.domain.messages import Message, Role, Text
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import cleaned, estimate_tokens, thinks
from eunoe.engine.ports import Model, ModelRequest
from eunoe.errors import (
    ContextOverflow,
    ModelError,
    ModelOverloaded,
    ModelRateLimited,
    ModelReplyCut,
    ModelReplyEmpty,
    ModelUnknown,
)

FAULTS: Final = (ModelError, ModelUnknown)
"""What may keep a model from summing up; anything else is a fault of ours."""

_BUSY: Final = (ModelOverloaded, ModelRateLimited)
_ATTEMPTS: Final = 2
_SHORT_RETURN_CHARS: Final = 5_000
_TRANSCRIPT_SHARE: Final = 0.6
_MIN_TRANSCRIPT_BYTES: Final = 2_000
_BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A model and how it is asked."""

    model: Model
    config: ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a model is told; `acknowledged` puts a turn before the transcript that accepts it."""

    prompt: str
    acknowledged: bool
    agent_id: str
    now: datetime

    def said(self, role: Role, text: str) -> Message:
        """Return a message that is sent with the task and never stored."""
        return Message(
            id=ids.new("message"),
            role=role,
            agent_id=self.agent_id,
            content=(Text(text=text),),
            created_at=self.now,
        )


async def own_summary(
    said: Sequence[Message], *, own: Speaker, task: Task, tools: Sequence[ToolSchema]
) -> str:
    """Return what the agent's own model makes of `said`, system message first (C14).

    The conversation is sent as it always is, so that the provider's cache hits, and the
    instructions stand behind it. Raises one of `FAULTS`.
    """
    config = own.config
    sent = cleaned(said, context_window=config.context_window, keep_reasoning=thinks(config))
    filler = () if sent[-1].role == "assistant" else (task.said("assistant", summaries.FILLER),)
    messages = (*sent, *filler, task.said("user", task.prompt))
    return await _asked(own, ModelRequest(config=config, messages=messages, tools=tuple(tools)))


async def transcript_summary(
    messages: Sequence[Message], *, summariser: Speaker, task: Task, instead: Speaker
) -> tuple[str | None, list[str]]:
    """Return what `summariser` makes of `messages`, null after two failures, and their codes.

    An overflow is followed by a smaller transcript (C17), another failure by one more try, which
    is another model's, `instead`, where this one is too busy (P42).
    """
    config = _quiet(summariser.config)
    faults: list[str] = []
    failures = 0
    stages = _stages(messages, prompt=task.prompt, config=config)
    while stages and failures < _ATTEMPTS:
        sent = [task.said("system", task.prompt)]
        if task.acknowledged:
            sent.append(task.said("assistant", summaries.ACKNOWLEDGEMENT))
        sent.append(task.said("user", f"{stages[0]}\n\n{summaries.SHOW}"))
        try:
            request = ModelRequest(config=config, messages=tuple(sent))
            return await _asked(summariser, request), faults
        except ContextOverflow as fault:
            faults.append(fault.code)
            stages = stages[1:]
        except FAULTS as fault:
            faults.append(fault.code)
            failures += 1
            if isinstance(fault, _BUSY) and instead.config.handle != config.handle:
                summariser, config = instead, _quiet(instead.config)
                stages = _stages(messages, prompt=task.prompt, config=config)
    return None, faults


def _stages(messages: Sequence[Message], *, prompt: str, config: ModelConfig) -> list[str]:
    """Return transcripts, each smaller than the one before, without those that cannot fit.

    The last is cut to its share of the window or, where the provider found less room
    there than it promised, to the same share of the text.
    """
    whole = summaries.transcript(messages)
    short = summaries.transcript(messages, return_chars=_SHORT_RETURN_CHARS)
    limit = compaction.trigger_tokens(config.context_window)
    fitting = [text for text in (whole, short) if estimate_tokens(system=prompt + text) <= limit]
    room = int(config.context_window * _TRANSCRIPT_SHARE * _BYTES_PER_TOKEN) - len(prompt.encode())
    if fitting:
        room = min(room, int(len(short.encode()) * _TRANSCRIPT_SHARE))
    cut = summaries.middle_cut(short, budget_bytes=max(room, _MIN_TRANSCRIPT_BYTES))
    return list(dict.fromkeys([*fitting, cut]))


def _quiet(config: ModelConfig) -> ModelConfig:
    """Return `config` without reasoning and formats, which a summary has no use for (C18)."""
    return replace(config, enable_reasoner=False, max_reasoning_tokens=0, response_format=None)


async def _asked(speaker: Speaker, request: ModelRequest) -> str:
    """Return the text of one whole reply; raise `ModelError` for none."""
    texts: list[str] = []
    whole = False
    async with aclosing(speaker.model.stream(request)) as events:
        async for event in events:
            match event:
                case TextDelta(text=text):
                    texts.append(text)
                case Finished():
                    whole = True
                case _:
                    pass
    summary = "".join(texts).strip()
    if not whole:
        raise ModelReplyCut
    if not summary:
        raise ModelReplyEmpty
    return summary
