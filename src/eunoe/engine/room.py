"""Keeping room in a turn's window: when it is full, and what is done then."""

from dataclasses import replace

from eunoe import ids
from eunoe.domain import compaction
from eunoe.domain.events import Compacting, Shown
from eunoe.domain.views import views
from eunoe.engine.compact import Compaction, Occasion, Speaker, compact
from eunoe.engine.turn import Ports, Turn


def is_full(turn: Turn) -> bool:
    """Whether the window is past its trigger (C6)."""
    return compaction.is_full(turn.run.context_tokens, context_window=turn.config.context_window)


async def make_room(turn: Turn, ports: Ports, *, trigger: str) -> None:
    """Make the window smaller, unless cancelled; the input of this turn stays in it."""
    now = ports.now()
    announced = Compacting(
        id=ids.new("message"),
        at=now.isoformat(),
        run_id=turn.run.id,
        trigger=trigger,
        context_token_estimate=turn.run.context_tokens,
        context_window=turn.config.context_window,
    )
    occasion = Occasion(
        trigger=trigger, now=now, estimate=turn.run.context_tokens, keep_from=turn.input_id
    )
    done: Compaction | None = None
    with ports.cancellation.covering():
        done = await compact(
            turn.window,
            occasion=occasion,
            own=Speaker(model=ports.model, config=turn.config),
            summariser=ports.summariser,
            tools=ports.toolbox.schemas(),
        )
    if done is None:
        return
    summary = replace(done.summary, run_id=turn.run.id, conversation_id=turn.run.conversation_id)
    # Readers who did not ask for compactions get the summary as a message to the model (L72).
    events = (announced, *(Shown(view=view) for view in views(summary)))
    turn.window = await ports.journal.compacted(
        turn.run, evicted=done.evicted, summary=summary, events=events
    )
    turn.run = replace(turn.run, context_tokens=done.tokens_after)
