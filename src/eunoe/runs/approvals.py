"""Requests and answers at the door: what may be sent to a list that waits, and what it means (4.5).

All of it happens in the transaction that stores the request, after the run has claimed the
list, so that of two answers only one is taken and a refusal has changed nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain import approvals
from eunoe.domain.approvals import CANCELLED, Request
from eunoe.domain.envelopes import heartbeat_envelope
from eunoe.domain.inputs import Answers
from eunoe.domain.messages import Answer, Message, ToolReturn
from eunoe.domain.runs import Run
from eunoe.domain.times import stamp
from eunoe.domain.tool_rules import DENIED, History, history_of
from eunoe.domain.window import return_char_limit
from eunoe.engine.tool_rules import told
from eunoe.errors import ApprovalEmpty, ApprovalNotAwaited, ApprovalPending
from eunoe.store import agents, lists, messages, runs
from eunoe.store.db import Tx
from eunoe.store.own import there

_STEP: Final = 2
"""A request and the message with the rest of its reply."""
_RECENT: Final = 12
_CARRY_ON: Final = "The tool calls have been answered. Go on with what you were doing."


async def admitted(
    tx: Tx, run: Run, answers: Answers | None, said: Sequence[Message], *, last_role: str
) -> list[Message]:
    """Return what the run's list is to be told: answers first, `said` behind them.

    `last_role` is that of the newest message in the window, so that an ordinary message to a
    list where nothing waits costs no more. Raises `ApprovalPending` for ordinary messages
    while a request waits, and `ApprovalRefused` for answers that do not fit.
    """
    if answers is None and last_role != "approval":
        return list(said)
    await lists.hold(tx, run.list_id)
    request = approvals.pending(await lists.newest(tx, run.list_id, limit=_STEP))
    if request is None:
        return await _unasked(tx, run, answers, said)
    if answers is None:
        raise ApprovalPending(request_id=request.message.id, run_id=request.message.run_id)
    given = approvals.matched(request, answers.given)
    agent = there(await agents.get(tx, run.agent_id), "agent", run.agent_id)
    limit = return_char_limit(agent.model.context_window)
    given = tuple(approvals.capped(answer, limit=limit) for answer in given)
    response = _response(run, request, given, at=run.created_at)
    response = replace(response, otid=answers.otid, group_id=answers.group_id)
    return [response, *said]


async def _unasked(
    tx: Tx, run: Run, answers: Answers | None, said: Sequence[Message]
) -> list[Message]:
    """Return what to say to a list where nothing waits; a repeat has been acted on (H24, H25)."""
    if answers is None:
        return list(said)
    if not answers.given:
        raise ApprovalEmpty
    recent = await lists.recent(tx, run.list_id, limit=_RECENT)
    if not approvals.is_repeat(answers.given, recent=recent):
        raise ApprovalNotAwaited
    return list(said) or [await _nudge(tx, run, otid=answers.otid)]


async def _nudge(tx: Tx, run: Run, *, otid: str | None) -> Message:
    """Return what makes the model carry on when a repeat says nothing else."""
    agent = await agents.get(tx, run.agent_id)
    timezone = "UTC" if agent is None else agent.timezone
    text = heartbeat_envelope(_CARRY_ON, at=run.created_at, timezone=timezone)
    return replace(told(text, run=run, step_id=None, at=run.created_at), otid=otid)


def _response(run: Run, request: Request, given: tuple[Answer, ...], *, at: datetime) -> Message:
    asked = request.message
    return Message(
        id=ids.new("message"),
        role="approval",
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        approvals=given,
        request_id=asked.id,
        model=asked.model,
        step_id=asked.step_id,
        run_id=run.id,
        created_at=at,
    )


async def history(tx: Tx, run_id: str) -> History:
    """Return what the turn of a run has called, in the runs that it goes on from too (FIX-15)."""
    said = await messages.of_run(tx, run_id)
    while said and said[0].request_id is not None:
        request = await messages.get(tx, said[0].request_id)
        if request is None or request.run_id is None:
            break
        said = [*await messages.of_run(tx, request.run_id), *said]
    return history_of(said)


async def is_asking(tx: Tx, list_id: str) -> bool:
    """Whether a request stands last in the list, so that nothing else may be said there (H22)."""
    newest = await lists.newest(tx, list_id, limit=_STEP)
    return approvals.pending(newest) is not None


async def withdrawn(tx: Tx, run: Run, *, now: datetime) -> bool:
    """Deny all that a run has asked for and end it as cancelled, if it still waits (H29, H30)."""
    await lists.hold(tx, run.list_id)
    request = approvals.pending(await lists.newest(tx, run.list_id, limit=_STEP))
    if request is None or request.message.run_id != run.id or not await runs.withdraw(tx, run.id):
        return False
    agent = await agents.get(tx, run.agent_id)
    time = stamp(now, timezone="UTC" if agent is None else agent.timezone)
    response = _response(run, request, approvals.refused(request, reason=CANCELLED), at=now)
    returns = tuple(
        ToolReturn(
            call_id=call.id, name=call.name, ok=False, output=f"{DENIED} {CANCELLED}", time=time
        )
        for call in request.calls
    )
    closing = replace(
        response, id=ids.new("message"), role="tool", approvals=(), request_id=None, returns=returns
    )
    await lists.append(tx, run.list_id, [response, closing])
    return True
