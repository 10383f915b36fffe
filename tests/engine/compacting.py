"""Windows to compact, and a model that says what it is told to."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from eunoe.domain.agents import CompactionMode, CompactionSettings
from eunoe.domain.events import Finished, ModelEvent, TextDelta
from eunoe.domain.messages import Message
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolSchema
from eunoe.engine.compact import Compaction, Occasion, Speaker, compact
from eunoe.engine.ports import ModelRequest, Window
from eunoe.errors import EunoeError
from tests.domain.conversations import AT, agent, config, later, message

CHECK = "post_step_context_check"
MODES: tuple[CompactionMode, ...] = (
    "all",
    "sliding_window",
    "self_compact_all",
    "self_compact_sliding_window",
)
TOOL = ToolSchema(name="search", description="Finds.", parameters={"type": "object"})


class Summariser:
    """Answers each request with the next of `answers`, the last one for ever."""

    def __init__(self, *answers: str | EunoeError, unfinished: bool = False) -> None:
        self.answers = list(answers)
        self.unfinished = unfinished
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, EunoeError):
            raise answer
        for word in answer.split(" "):
            yield TextDelta(text=f"{word} ")
        if not self.unfinished:
            yield Finished(reason="stop")


def window(
    messages: Sequence[Message],
    *,
    mode: CompactionMode = "sliding_window",
    context_window: int = 2_000,
    system: str = "You are helpful.",
    **options: object,
) -> Window:
    return Window(
        agent=replace(
            agent(model=config(context_window=context_window)),
            compaction=replace(CompactionSettings(mode=mode), **options),
        ),
        system=message("system", "system", system),
        messages=tuple(messages),
        blocks=(),
    )


def dialogue(turns: int, *, words: int = 20) -> list[Message]:
    """Return turns of about `words` tokens a message."""
    said = [
        message("", role, f"{role} {n} " + "word " * words)
        for n in range(turns)
        for role in ("user", "assistant")
    ]
    return later(said)


async def done(
    seen: Window,
    model: Summariser,
    *,
    own: Summariser | None = None,
    trigger: str | None = CHECK,
    estimate: int | None = None,
    keep_from: str | None = None,
    summariser_config: ModelConfig | None = None,
) -> Compaction | None:
    return await compact(
        seen,
        occasion=Occasion(
            trigger=trigger, now=AT, estimate=estimate, keep_from=keep_from, settings=None
        ),
        own=Speaker(model=own or model, config=seen.agent.model),
        summariser=Speaker(model=model, config=summariser_config or seen.agent.model),
        tools=[TOOL],
    )


def after(seen: Window, made: Compaction) -> list[Message]:
    """Return the window's messages with the summary where the first of the evicted stood."""
    at = next(n for n, m in enumerate(seen.messages) if m.id in made.evicted)
    kept = [m for m in seen.messages if m.id not in made.evicted]
    before = sum(m.id not in made.evicted for m in seen.messages[:at])
    return [*kept[:before], made.summary, *kept[before:]]
