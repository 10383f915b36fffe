"""THE agent loop. Blocking, streamed, background, resumed: every caller uses this one.

The history is the checkpoint: a turn that starts with calls nobody has answered
goes on with them, without asking the model again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic_ns, time_ns

from eunoe import ids, telemetry
from eunoe.domain import approvals
from eunoe.domain.costs import usd
from eunoe.domain.events import Ending, FinishReason, Shown
from eunoe.domain.messages import Message, ToolCall, unanswered
from eunoe.domain.runs import Step, StopReason
from eunoe.domain.tool_rules import was_refused
from eunoe.domain.tools import ToolResult
from eunoe.domain.views import views
from eunoe.engine.acting import act
from eunoe.engine.approvals import PAUSE, pause, waits
from eunoe.engine.asking import asked, estimated, ruling_now, spent
from eunoe.engine.dialects import Act, Fail, Made, Verdict, Yield
from eunoe.engine.failures import REFUSALS, ending_of
from eunoe.engine.ports import Settled
from eunoe.engine.reply import Reply
from eunoe.engine.room import is_full, make_room
from eunoe.engine.tool_rules import prepared, reminder
from eunoe.engine.turn import Ports, Turn
from eunoe.errors import EunoeError


async def run_turn(turn: Turn, ports: Ports) -> None:
    """Run `turn` until it ends; its end is in the journal when this returns.

    Raises `FenceLost` when another process took the run over, and whatever fault
    of ours occurs, a window that nothing makes room in included: the worker turns
    that into the run's end.
    """
    ended = await _resume(turn, ports)
    while not ended:
        if (reason := _halted(turn, ports)) is not None:
            await ports.journal.ended(turn.run, step=None, ending=Ending(reason=reason))
            return
        turn.owed = False
        ended = await _step(turn, ports)


def _halted(turn: Turn, ports: Ports) -> StopReason | None:
    """Return why the model is not asked once more, null where it is."""
    if ports.cancellation.requested:
        return "cancelled"
    if turn.is_spent:
        return "max_steps"
    return "insufficient_credits" if ports.journal.overspent else None


async def _resume(turn: Turn, ports: Ports) -> bool:
    """Act on answers, or finish what a past owner of the run left; whether that was all."""
    messages = turn.window.messages
    calls = unanswered(messages)
    last = messages[-1] if messages else None
    turn.owed = approvals.unfed(messages, run_id=turn.run.id)
    due = approvals.due(messages)
    if due is not None:
        answered = approvals.outcomes(due.answers)
        return await _act(turn, ports, due.request.calls, step=None, answered=answered)
    if calls:
        return await _act(turn, ports, calls, step=None)
    if last is not None and approvals.pending(messages) and last.run_id == turn.run.id:
        await ports.journal.ended(turn.run, step=None, ending=PAUSE)
        return True
    if last is not None and approvals.is_reply(last) and last.run_id == turn.run.id:
        await ports.journal.ended(turn.run, step=None, ending=Ending(reason="end_turn"))
        return True
    return False


async def _step(turn: Turn, ports: Ports) -> bool:
    """Ask the model once and do what it says; whether the turn is over."""
    step, began = _new_step(turn, ports), monotonic_ns()
    with telemetry.bind(step_id=step.id), telemetry.span("agent_step", step_id=step.id):
        try:
            return await _taken(turn, ports, step=step)
        finally:
            telemetry.record_step((monotonic_ns() - began) / 1e6)


def _new_step(turn: Turn, ports: Ports) -> Step:
    return Step(
        id=ids.new("step"),
        run_id=turn.run.id,
        agent_id=turn.run.agent_id,
        provider_name=turn.config.provider_type,
        provider_category=turn.config.provider_category,
        model=turn.config.model,
        model_handle=turn.config.handle,
        model_endpoint=turn.config.endpoint,
        context_window_limit=turn.config.context_window,
        started_ns=time_ns(),
        trace_id=turn.trace_id,
        request_id=turn.run.options.request_id,
        created_at=ports.now(),
    )


async def _taken(turn: Turn, ports: Ports, *, step: Step) -> bool:
    began = monotonic_ns()
    message_id = ids.new("message")
    try:
        reply, step = await asked(turn, ports, step=step, message_id=message_id)
    except REFUSALS:
        raise
    except EunoeError as error:
        step = replace(step, total_ns=monotonic_ns() - began)
        await _failed(turn, ports, step=step, error=error)
        return True
    usage = await spent(turn, reply)
    step = replace(step, usage=usage, status="success", total_ns=monotonic_ns() - began)
    telemetry.record_reply(
        model=turn.config.model,
        llm_ms=(step.llm_ns or 0) / 1e6,
        output_tokens=usage.completion_tokens,
        cost_usd=usd(usage.cost_nanos),
    )
    message = reply.message(
        message_id=message_id,
        agent_id=turn.run.agent_id,
        model=turn.config.model,
        at=ports.now(),
        with_calls=not ports.cancellation.requested and reply.finish != "length",
    )
    return await _judge(turn, ports, step=step, reply=reply, message=message)


async def _judge(
    turn: Turn, ports: Ports, *, step: Step, reply: Reply, message: Message | None
) -> bool:
    turn.run = replace(
        turn.run,
        step_count=turn.run.step_count + 1,
        usage=turn.run.usage + step.usage,
        context_tokens=step.usage.total_tokens or estimated(turn, ports),
        ttft_ns=turn.run.ttft_ns or turn.first_token_ns,
    )
    if message is not None and reply.tokens is not None:
        told = (*turn.run.told_tokens, (message.id, reply.tokens))
        turn.run = replace(turn.run, told_tokens=told)
    if message is not None:
        message = replace(
            message,
            step_id=step.id,
            run_id=turn.run.id,
            conversation_id=turn.run.conversation_id,
            group_id=turn.run.options.group_id,
        )
    if ports.cancellation.requested or reply.finish is None:
        await _answered(
            turn,
            ports,
            step=replace(step, status="cancelled"),
            message=message,
            ending=Ending(reason="cancelled"),
        )
        return True
    if message is None:
        await _answered(
            turn, ports, step=step, message=None, ending=Ending(reason="max_tokens_exceeded")
        )
        return True
    message = ports.dialect.taken(message, finish=reply.finish)
    match _verdict(turn, ports, message=message, finish=reply.finish):
        case Yield(reason=reason):
            return await _yielded(turn, ports, step=step, message=message, reason=reason)
        case Fail(error=error):
            await _failed(turn, ports, step=step, error=error)
            return True
        case Act(calls=calls) if waits(calls, ruling := ruling_now(turn, ports)):
            await pause(turn, ports, step=step, reply=message, calls=calls, ruling=ruling)
            return True
        case Act(calls=calls):
            return await _called(turn, ports, calls, step=step, message=message)


async def _called(
    turn: Turn, ports: Ports, calls: Sequence[ToolCall], *, step: Step, message: Message
) -> bool:
    """Store a reply that calls, and run its calls; whether the turn is over.

    Room is made before they run, since what they come to may end the turn (C6).
    """
    full = is_full(turn)
    if not full and all(ports.toolbox.traits(call.name).immediate for call in calls):
        return await _act(turn, ports, calls, step=step, reply=message)
    await _answered(turn, ports, step=step, message=message, ending=None)
    if full:
        await make_room(turn, ports, trigger="post_step_context_check")
    return await _act(turn, ports, calls, step=step)


def _verdict(turn: Turn, ports: Ports, *, message: Message, finish: FinishReason) -> Verdict:
    """Return what a reply asks for; a call is missed only where one could be made (FIX-18)."""
    verdict = ports.dialect.judged(message, finish=finish)
    if isinstance(verdict, Fail) and not ruling_now(turn, ports).tools:
        return Yield(reason="end_turn")
    return verdict


async def _yielded(
    turn: Turn, ports: Ports, *, step: Step, message: Message, reason: StopReason
) -> bool:
    """Store a reply that would end the turn; whether it does, as far as the rules allow."""
    full = is_full(turn)
    told = reminder(ruling_now(turn, ports), window=turn.window, run=turn.run, step=step)
    step = replace(step, stop_reason=_spent(turn) if told else reason)
    ending = None if full or told else Ending(reason=reason)
    await _answered(turn, ports, step=step, message=message, told=told, ending=ending)
    if full:
        await make_room(turn, ports, trigger="post_step_context_check")
    if told is None and full:
        reason = "cancelled" if ports.cancellation.requested else reason
        await ports.journal.ended(turn.run, step=None, ending=Ending(reason=reason))
    return told is None


def _spent(turn: Turn) -> StopReason | None:
    """Return why a step that does not end the turn by itself is its last, null where it is not."""
    return "max_steps" if turn.is_spent else None


async def _answered(
    turn: Turn,
    ports: Ports,
    *,
    step: Step,
    message: Message | None,
    told: Message | None = None,
    ending: Ending | None,
) -> None:
    if ending is not None:
        step = replace(step, stop_reason=ending.reason)
    said = [one for one in (message, told) if one is not None]
    turn.window = await ports.journal.answered(
        turn.run, step=step, said=said, events=_shown(turn, message), ending=ending
    )


def _shown(turn: Turn, reply: Message | None) -> list[Shown]:
    """Return the events of a whole reply; one that streams has been shown already."""
    whole = reply is not None and not turn.run.options.stream_tokens
    return [Shown(view=view) for view in views(reply)] if reply and whole else []


async def _act(
    turn: Turn,
    ports: Ports,
    calls: Sequence[ToolCall],
    *,
    step: Step | None,
    answered: Mapping[str, ToolResult | None] | None = None,
    reply: Message | None = None,
) -> bool:
    """Run `calls`, store what came of them, and say whether the turn is over.

    `answered` is what those among them that waited for an answer have come to (`prepared`),
    `reply` what made them where that is not stored yet.
    """
    began = monotonic_ns()
    rules = ruling_now(turn, ports)
    ready = prepared(calls, rules, answered=answered)
    consented = answered or {}
    done = await act(
        ready.calls,
        toolbox=ports.toolbox,
        journal=ports.journal,
        run=turn.run,
        ledger={**ready.refused, **turn.ledger},
        cancellation=ports.cancellation,
        barred=rules.barred,
    )
    settled = [replace(one, approved=one.call.id in consented) for one in done]
    idle = _not_run(ready.refused, done)
    ran = [call for call in ready.calls if call.id not in idle]
    turn.ledger = {}
    ending: Ending | None = None
    if ports.cancellation.requested:
        ending = Ending(reason="cancelled")
    elif turn.owed:
        pass  # What came with the answers is still to be replied to (FIX-3).
    elif ready.spoilt:
        ending = Ending(reason="invalid_tool_call")
    elif (reason := ports.dialect.after(ran, ruling=rules)) is not None:
        ending = Ending(reason=reason)
    last_step = turn.run.step_count >= turn.run.options.max_steps
    made = Made(calls=ready.calls, refused=idle, ruling=rules, last_step=last_step)
    follow = None if turn.owed else ports.dialect.follow(made)
    if step is not None:
        step = replace(
            step,
            status="cancelled" if ports.cancellation.requested else step.status,
            tools_ns=monotonic_ns() - began,
            total_ns=(step.total_ns or 0) + monotonic_ns() - began,
            stop_reason=ending.reason if ending else _spent(turn),
        )
    turn.window, ending = await ports.journal.settled(
        turn.run,
        step=step,
        settled=settled,
        ending=ending,
        follow=follow,
        reply=reply,
        events=_shown(turn, reply),
    )
    if rules.rules and ending is None:
        # The returns stand last, or before what wakes the agent up.
        for message in turn.window.messages[-2:]:
            turn.history = turn.history.followed(message)
    return ending is not None


def _not_run(refused: Mapping[str, ToolResult], done: Sequence[Settled]) -> set[str]:
    """Return the ids of the calls that somebody answered for, or whose arguments were not read."""
    results = [(one.call.id, one.outcome) for one in done]
    unread = {of for of, one in results if isinstance(one, ToolResult) and was_refused(one)}
    return unread | refused.keys()


async def _failed(turn: Turn, ports: Ports, *, step: Step, error: EunoeError) -> None:
    telemetry.describe({}, failure=type(error).__name__)
    ending = ending_of(error, run_id=turn.run.id)
    failed = replace(
        step,
        status="failed",
        stop_reason=ending.reason,
        error_type=type(error).__name__,
        error_data={"message": str(error), "code": error.code, "details": error.detail},
    )
    await ports.journal.ended(turn.run, step=failed, ending=ending)
