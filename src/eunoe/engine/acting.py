"""Running the calls of one reply: together where they may, else in order, once at most."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, TypeAlias

import anyio

from eunoe import telemetry
from eunoe.domain.arguments import call_arguments
from eunoe.domain.messages import Json, ToolCall
from eunoe.domain.runs import Run
from eunoe.domain.tool_rules import UNREAD, refusal
from eunoe.domain.tools import ToolResult, grouped
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.ports import Journal, Nested, Outcome, Settled, Toolbox
from eunoe.errors import ToolArgumentsInvalid

Barred: TypeAlias = Callable[[ToolCall], str | None]

_UNKNOWN: Final = (
    "The server stopped while this call was running, so its outcome is unknown. "
    "It was not run again; check what it did before you repeat it."
)
_CANCELLED: Final = "The run was cancelled by the user before this call was done."


async def act(
    calls: Sequence[ToolCall],
    *,
    toolbox: Toolbox,
    journal: Journal,
    run: Run,
    ledger: Mapping[str, ToolResult | None],
    cancellation: Cancellation,
    barred: Barred,
) -> list[Settled]:
    """Run `calls` and return what came of each, in call order.

    `barred` says why a call may not be made from within another, null where it may.

    `ledger` is what is on record of them from before a crash: a recorded result is
    used, a call that only started is never run again (G-17). Raises `FenceLost`.
    """
    acting = _Acting(
        toolbox=toolbox, journal=journal, run=run, cancellation=cancellation, barred=barred
    )
    for call in calls:
        if call.id in ledger:
            acting.outcomes[call.id] = ledger[call.id] or ToolResult(ok=False, output=_UNKNOWN)
    todo = [call for call in calls if call.id not in acting.outcomes]
    parallel = frozenset(call.name for call in todo if toolbox.traits(call.name).parallel)
    together, in_order = grouped(todo, parallel=parallel)
    await acting.together(together)
    await acting.in_order(in_order)
    lost = ToolResult(ok=False, output=_CANCELLED)
    return [Settled(call=call, outcome=acting.outcomes.get(call.id, lost)) for call in calls]


@dataclass(slots=True, kw_only=True)
class _Acting:
    """The calls of one reply while they run."""

    toolbox: Toolbox
    journal: Journal
    run: Run
    cancellation: Cancellation
    barred: Barred
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    async def together(self, calls: Sequence[ToolCall]) -> None:
        await self.journal.calls_started(self.run, [c for c in calls if self._effectful(c)])
        with self.cancellation.covering():
            async with anyio.create_task_group() as group:
                for call in calls:
                    group.start_soon(self._once, call)

    async def in_order(self, calls: Sequence[ToolCall]) -> None:
        for place, call in enumerate(calls):
            if self.cancellation.requested:
                return
            if self._effectful(call):
                await self.journal.calls_started(self.run, [call])
            with self.cancellation.covering():
                await self._once(call)
            outcome = self.outcomes.get(call.id)
            more = place + 1 < len(calls)
            if more and self._effectful(call) and isinstance(outcome, ToolResult):
                await self.journal.call_ended(self.run, call, outcome)

    async def _once(self, call: ToolCall) -> None:
        nested = self._nested(call)
        self.outcomes[call.id] = await called(call, toolbox=self.toolbox, nested=nested)

    def _nested(self, outer: ToolCall) -> Nested:
        """Return what runs the calls that `outer` makes: on record, and so never again (G-17)."""
        numbers = itertools.count(1)

        async def nested(name: str, arguments: Json) -> Outcome:
            number = next(numbers)
            call = ToolCall(id=f"{outer.id}.{number}", name=name, arguments=json.dumps(arguments))
            if (why := self.barred(call)) is not None:
                return ToolResult(ok=False, output=why)
            if self._effectful(call):
                await self.journal.calls_started(self.run, [call])
            outcome = await called(call, toolbox=self.toolbox)
            if self._effectful(call) and isinstance(outcome, ToolResult):
                await self.journal.call_ended(self.run, call, outcome)
            return outcome

        return nested

    def _effectful(self, call: ToolCall) -> bool:
        return self.toolbox.traits(call.name).effectful


async def called(call: ToolCall, *, toolbox: Toolbox, nested: Nested | None = None) -> Outcome:
    """Return what one call comes to, and measure it (X7); no failure of it is raised."""
    began = monotonic()
    telemetry.add_event("tool_execution_started", tool_name=call.name)
    outcome = await _call(call, toolbox=toolbox, nested=nested)
    traits = toolbox.traits(call.name)
    telemetry.record_tool(
        call.name,
        duration_ms=(monotonic() - began) * 1000,
        success=not isinstance(outcome, ToolResult) or outcome.ok,
        tool_type=traits.tool_type,
        tool_id=traits.tool_id,
    )
    return outcome


async def _call(call: ToolCall, *, toolbox: Toolbox, nested: Nested | None) -> Outcome:
    names = [schema.name for schema in toolbox.schemas()]
    if call.name not in names:
        return ToolResult(ok=False, output=refusal(call.name, valid=names))
    try:
        arguments = call_arguments(call.arguments)
    except ToolArgumentsInvalid as error:
        return ToolResult(ok=False, output=f"{UNREAD} {error}")
    return await toolbox.call(call, arguments=arguments, nested=nested)
