"""Asking the model: the request that the window makes, and the reply while it comes in."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from time import monotonic_ns, time_ns
from typing import Final

from eunoe import ids, telemetry
from eunoe.domain import window as windows
from eunoe.domain.costs import cost_nanos
from eunoe.domain.edits import BLOCK_TOOLS
from eunoe.domain.events import Shown
from eunoe.domain.messages import Message, Text
from eunoe.domain.runs import Step, Usage
from eunoe.domain.skills import skills_section
from eunoe.domain.views import View
from eunoe.engine.approvals import Asking
from eunoe.engine.compact import OVERFLOW
from eunoe.engine.ports import ModelRequest
from eunoe.engine.reply import Reply
from eunoe.engine.room import make_room
from eunoe.engine.tool_rules import Ruling, ruling_of
from eunoe.engine.turn import Ports, Turn
from eunoe.errors import ContextOverflow, ModelError, ModelTimedOut

_COMPACTIONS_PER_STEP: Final = 3
_WAITED: Final = "request_start_to_provider_request_start_ns"
_FAULT: Final = 500
"""From this status on a provider failed, below it it refused (streaming 8.4)."""


async def asked(turn: Turn, ports: Ports, *, step: Step, message_id: str) -> tuple[Reply, Step]:
    """Return the model's whole reply, or as much as came before a cancellation."""
    for attempt in range(_COMPACTIONS_PER_STEP + 1):
        started, began = time_ns(), monotonic_ns()
        waited_ns = started - int(turn.run.created_at.timestamp() * 1e9)
        telemetry.add_event(_WAITED, **{_WAITED: waited_ns})
        try:
            reply = await _ask(turn, ports, step=step, message_id=message_id)
        except ContextOverflow:
            if attempt == _COMPACTIONS_PER_STEP:
                raise
            await make_room(turn, ports, trigger=OVERFLOW)
            continue
        except ModelError as error:
            if isinstance(error, ModelTimedOut):
                telemetry.count("provider_timeout_total", provider=turn.config.provider_type)
            # Its run tells the caller, whose status may be 200 already; nobody else is told (S26).
            if error.status >= _FAULT:
                telemetry.report(error)
            raise
        return reply, replace(step, llm_started_ns=started, llm_ns=monotonic_ns() - began)
    raise ContextOverflow


async def _ask(turn: Turn, ports: Ports, *, step: Step, message_id: str) -> Reply:
    reply = Reply(
        hearing=ports.dialect.hearing(turn.run.options), parallel=turn.config.parallel_tool_calls
    )
    tokens = turn.run.options.stream_tokens
    asking = Asking(ruling_now(turn, ports)) if tokens else None
    with ports.cancellation.covering():
        async with aclosing(ports.model.stream(request(turn, ports))) as stream:
            async for event in stream:
                shown = reply.take(event)
                if shown and turn.first_token_ns is None:
                    turn.first_token_ns = _since(turn.run.created_at, ports.now())
                    telemetry.record_ttft_ms(turn.first_token_ns / 1e6, model=turn.config.model)
                for part, body in shown if asking else ():
                    view = View(
                        message_id=message_id,
                        otid=ids.part_otid(message_id, part),
                        at=step.created_at,
                        body=body,
                        step_id=step.id,
                        run_id=turn.run.id,
                    )
                    _emit(ports, asking.shown(view) if asking else ())
    if asking and reply.finish is not None:
        _emit(ports, asking.released(reply.calls))
    if not ports.cancellation.requested:
        reply.check()
    return reply


async def spent(turn: Turn, reply: Reply) -> Usage:
    """Return what a reply used, and what that cost as far as it is known."""
    price = await asyncio.shield(turn.price) if turn.price is not None else None
    return replace(reply.usage or Usage(), cost_nanos=cost_nanos(reply.usage, price))


def _emit(ports: Ports, shown: Sequence[View]) -> None:
    for view in shown:
        ports.emit(Shown(view=view))


def request(turn: Turn, ports: Ports) -> ModelRequest:
    """Return what the model is asked next."""
    window = turn.window
    rest = window.messages[window.clean_upto :]
    messages = window.clean + windows.cleaned(
        rest if window.clean else (window.system, *rest),
        context_window=turn.config.context_window,
        keep_reasoning=windows.thinks(turn.config),
        taken=window.clean_calls,
    )
    if turn.system_override is not None:
        messages = (turn.system_override, *messages[1:])
    elif skills := skills_section(window.blocks, turn.run.options.client_skills):
        messages = (_with(messages[0], skills), *messages[1:])
    ruling = ruling_now(turn, ports)
    return ModelRequest(
        config=turn.config,
        messages=ports.dialect.retold(messages),
        tools=ports.dialect.offered(ruling),
        choice=ports.dialect.choice(ruling),
        parallel=ports.dialect.parallel and _parallel(turn),
        stream=turn.run.options.stream_tokens,
        user=turn.user,
        tokens=turn.run.options.tokens,
        heartbeats=ports.dialect.heartbeats,
        words_of_thought=ports.dialect.words_of_thought,
        list_id=turn.run.list_id,
    )


def _with(system: Message, section: str) -> Message:
    """Return the system message of one request: what is added to it is not stored."""
    return replace(system, content=(*system.content, Text(text=section)))


def ruling_now(turn: Turn, ports: Ports) -> Ruling:
    """Return what the agent's rules, and its guarded blocks, say at this moment of the turn."""
    ruling = ruling_of(
        turn.window.agent,
        schemas=ports.toolbox.schemas(),
        history=turn.history,
        client_tools=turn.run.options.client_tools,
    )
    blocks = turn.window.blocks
    if not any(block.approve_writes for block in blocks):
        return ruling
    # A tool of that name that is not the server's own is not one of memory (X1).
    careful = frozenset(
        tool.name
        for tool in ruling.tools
        if tool.name in BLOCK_TOOLS and ports.toolbox.traits(tool.name).tool_type != "custom"
    )
    return replace(ruling, careful=careful, blocks=blocks)


def _parallel(turn: Turn) -> bool:
    """Whether several calls at once are wanted (L32)."""
    rules = {rule.get("type") for rule in turn.window.agent.tool_rules}
    return turn.config.parallel_tool_calls and rules <= {"requires_approval"}


def estimated(turn: Turn, ports: Ports) -> int:
    """Return about how large the window is, for a provider that does not say."""
    sent = request(turn, ports)
    return windows.estimate_tokens(messages=sent.messages, tools=sent.tools)


def _since(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() * 1e9)
