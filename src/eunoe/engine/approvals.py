"""The gate: a reply that calls what needs an answer is stored, shown, and nothing of it runs (4.1).

A run ends there. The answers begin another run, whose first step is to act on them
(`loop.run_turn`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from eunoe.domain.approvals import requested
from eunoe.domain.call_policies import deadline
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
    """Tells the fragments of calls that will wait from others, while a reply comes in.

    Those of a call that its arguments decide about are held back until it is whole.
    """

    ruling: Ruling
    _waiting: dict[str, bool | None] = field(default_factory=dict[str, bool | None])
    _held: list[View] = field(default_factory=list[View])

    def shown(self, view: View) -> tuple[View, ...]:
        """Return what is shown of a fragment: as part of a request if its call is (2.5.5)."""
        body = view.body
        if not isinstance(body, CallFragment):
            return (view,)
        if body.name is not None and body.call_id not in self._waiting:
            self._waiting[body.call_id] = self.ruling.foreseen(body.name)
        match self._waiting.get(body.call_id, False):
            case None:
                self._held.append(view)
                return ()
            case False:
                return (view,)
            case True:
                asked = request_id(view.message_id)
                return (replace(view, message_id=asked, otid=asked, body=replace(body, asks=True)),)

    def released(self, calls: Sequence[ToolCall]) -> list[View]:
        """Return what was held back, now that the calls of the reply are known."""
        self._waiting |= {call.id: self.ruling.asks(call) for call in calls}
        held, self._held = self._held, []
        return [shown for view in held for shown in self.shown(view)]


def waits(calls: Sequence[ToolCall], ruling: Ruling) -> bool:
    """Whether a reply with these calls stops at the gate (H2)."""
    if not (ruling.asking or ruling.policies or ruling.careful):
        return False
    return any(ruling.asks(call) for call in calls)


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
    said = requested(reply, calls, gated_by=ruling.asks, client=ruling.client)
    whole = not turn.run.options.stream_tokens
    events = [Shown(view=view) for message in said for view in views(message)] if whole else []
    full = is_full(turn)
    turn.window = await ports.journal.answered(
        turn.run,
        step=replace(step, stop_reason=PAUSE.reason),
        said=said,
        events=events,
        ending=None if full else PAUSE,
        deadline=deadline(
            [(call, ruling.policy(call)) for call in said[-1].calls], now=ports.now()
        ),
    )
    if full:
        await make_room(turn, ports, trigger="post_step_context_check")
        await ports.journal.ended(turn.run, step=None, ending=PAUSE)
