"""The gate: a reply that calls what needs an answer is stored, shown, and nothing of it runs (4.1).

A run ends there. The answers begin another run, whose first step is to act on them
(`loop.run_turn`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from eunoe.domain.approvals import requested
from eunoe.domain.events import Ending, Shown
from eunoe.domain.messages import Message, ToolCall
from eunoe.domain.runs import Step
from eunoe.domain.views import CallFragment, View, views
from eunoe.engine.room import is_full, make_room
from eunoe.engine.tool_rules import Ruling
from eunoe.engine.turn import Ports, Turn
from eunoe.ids import request_id

PAUSE: Final = Ending(reason="requires_approval")


@dataclass(slots=True)
class Asking:
    """Tells the fragments of calls that will wait from others, while a reply comes in."""

    names: frozenset[str]
    _ids: set[str] = field(default_factory=set[str])

    def shown(self, view: View) -> View:
        """Return what is shown of a fragment: as part of a request if its call is (2.5.5)."""
        body = view.body
        if not self.names or not isinstance(body, CallFragment):
            return view
        if body.name in self.names:
            self._ids.add(body.call_id)
        if body.call_id not in self._ids:
            return view
        asked = request_id(view.message_id)
        return replace(view, message_id=asked, otid=asked, body=replace(body, asks=True))


def waits(calls: Sequence[ToolCall], ruling: Ruling) -> bool:
    """Whether a reply with these calls stops at the gate (H2)."""
    asking = ruling.asking
    return bool(asking) and any(call.name in asking for call in calls)


async def pause(
    turn: Turn,
    ports: Ports,
    *,
    step: Step,
    reply: Message,
    calls: Sequence[ToolCall],
    ruling: Ruling,
) -> None:
    """End the run with a request for approval, after it was made room for if need be (H3, C13)."""
    said = requested(reply, calls, asking=ruling.asking, client=ruling.client)
    whole = not turn.run.options.stream_tokens
    events = [Shown(view=view) for message in said for view in views(message)] if whole else []
    full = is_full(turn)
    turn.window = await ports.journal.answered(
        turn.run,
        step=replace(step, stop_reason=PAUSE.reason),
        said=said,
        events=events,
        ending=None if full else PAUSE,
    )
    if full:
        await make_room(turn, ports, trigger="post_step_context_check")
        await ports.journal.ended(turn.run, step=None, ending=PAUSE)
