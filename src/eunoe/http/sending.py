"""What every entrance to a run shares: take the request in, then answer it whole or as a stream."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from eunoe import ids, telemetry
from eunoe.domain.events import Ended, Ending, RunEvent, Stopped, Used
from eunoe.domain.followups import begins_round
from eunoe.domain.messages import Json
from eunoe.domain.runs import Busy, Run, Usage, is_terminal
from eunoe.engine.failures import ending_of
from eunoe.errors import ApprovalPending, ApprovalRefused, Invalid, RunExpired
from eunoe.http.deps import Caller, Runtime, agent_type
from eunoe.http.errors import answer_of_failed
from eunoe.http.repeats import KEY
from eunoe.http.replies import JsonReply
from eunoe.http.sse import Chunks, EventStream, Form
from eunoe.runs.submit import Submission
from eunoe.service.groups import GroupTurn
from eunoe.store import events
from eunoe.store.db import Actor
from eunoe.wire.messages import Lens, lens_of
from eunoe.wire.runs import shown
from eunoe.wire.sends import (
    LettaRequest,
    RetrieveStreamRequest,
    client_otids,
    given_answers,
    inputs_of,
    items_of,
    options_of,
)
from eunoe.wire.stream import answer

_DIGITS: Final = 9
_CANCELLED_S: Final = 2.0
"""How long who cancels waits to see the runs over (G-11)."""
_LOG_ID: Final = "x-api-request-log-id"
_LOG_ID_CHARS: Final = 128
ASYNC: Final = "send_message_async"
BUSY: Final = "X-Eunoe-Busy"
LOOKUPS_S: Final = (0, 0.25, 0.5, 1)
"""How long is waited before each look for what may be about to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a request addresses, and which entrance it came by."""

    agent_id: str
    conversation_id: str | None = None
    run_type: str
    background: bool = False
    stream_tokens: bool = False
    callback_url: str | None = None
    group: GroupTurn | None = None
    aloud: bool = False
    """Whether the agent is spoken to, and answers in words alone."""


async def submitted(request: Request, me: Caller, body: LettaRequest, target: Target) -> Run:
    """Store the request as a run, or find the run that it repeats (G-3, G-5, G-6)."""
    submission = await submission_of(request, me, body, target)
    return (await me.runtime.runner.submit(me.actor, submission)).run


async def submission_of(
    request: Request, me: Caller, body: LettaRequest, target: Target
) -> Submission:
    """Return what a request asks for.

    Raises `Missing` for an unknown or foreign agent, and for a model that no provider
    serves, before anything is fetched.
    """
    arrived_at = datetime.now(UTC)
    await agent_type(me, target.agent_id)
    if body.override_model is not None:
        await me.models.resolve(body.override_model)
    items = items_of(body)
    said = await inputs_of(items, fetch=me.runtime.images)
    options = options_of(body, stream_tokens=target.stream_tokens, callback_url=target.callback_url)
    log_id = request.headers.get(_LOG_ID, "")[:_LOG_ID_CHARS] or None
    options = replace(options, aloud=target.aloud, request_id=log_id)
    if target.group is not None:
        options = replace(options, group_id=target.group.group_id, turn=target.group.turn)
        said = (*target.group.heard, *said, *target.group.asked)
    return Submission(
        agent_id=target.agent_id,
        conversation_id=target.conversation_id,
        messages=said,
        answers=await given_answers(items, fetch=me.runtime.images),
        options=options,
        background=target.background,
        run_type=target.run_type,
        otids=client_otids(items),
        request_hash=await _request_hash(request, me.actor),
        retry_count=_retry_count(request),
        arrived_at=arrived_at,
        keyed=KEY in request.headers,
        busy=_busy(request, me.runtime),
    )


async def answered(me: Caller, run: Run) -> Response:
    """Wait for the run's end and return the whole reply (streaming 3)."""
    outcome = await me.runtime.runner.fold(me.actor, run.id, whole_round=begins_round(run))
    if outcome.failed is not None:
        return answer_of_failed(outcome.failed)
    body = answer(outcome, await lens_for(me, run))
    return JsonReply(body, headers={"X-Letta-Run-Id": run.id})


async def with_result(me: Caller, run: Run) -> Json:
    """Return the run as it is shown; of one that was not waited for, what it came to (api 19.1)."""
    body: Json = {**shown(run)}
    if is_terminal(run.status) and run.metadata.get("run_type") == ASYNC:
        with suppress(RunExpired):
            outcome = await me.runtime.runner.fold(me.actor, run.id)
            body["metadata"] = {**run.metadata, "result": answer(outcome, await lens_for(me, run))}
    return body


async def sent_streaming(
    request: Request, me: Caller, body: LettaRequest, target: Target, *, pings: bool
) -> Response:
    """Take a request in and stream its answer.

    What cannot be said to a list that waits, or does not, is an error in the stream (9.1).
    """
    try:
        run = await submitted(request, me, body, target)
    except (ApprovalPending, ApprovalRefused) as error:
        # The run that waits is what it is about; else one that never came to be.
        asked = error.run_id if isinstance(error, ApprovalPending) else None
        run_id = asked or ids.new("run")
        events = _refused(ending_of(error, run_id=run_id))
        form = Chunks(run_id=run_id, lens=Lens(), pings=False)
        return EventStream(events, run_id=run_id, form=form)
    return await streamed(me, run, pings=pings)


async def _refused(ending: Ending) -> AsyncGenerator[tuple[int, RunEvent]]:
    """Yield the stream of a request that was refused before there was a run (streaming 2.15)."""
    error = [] if ending.error is None else [ending.error]
    used = Used(usage=Usage(), step_count=0, context_tokens=None)
    for place, event in enumerate([Stopped(reason=ending.reason), used, *error, Ended()], 1):
        yield place, event


async def streamed(me: Caller, run: Run, *, pings: bool, after: int = 0) -> Response:
    """Return the run's events past place `after` as a stream (streaming 2, 4.6)."""
    form = Chunks(run_id=run.id, lens=await lens_for(me, run), pings=pings)
    return followed(me, run, form=form, after=after)


async def resumed(me: Caller, run: Run, asked: RetrieveStreamRequest) -> Response:
    """Return the events of any run again; raise `RunExpired` where they are no longer kept."""
    if is_terminal(run.status):
        async with me.read() as tx:
            if not await events.last_seq(tx, run.id):
                raise RunExpired(run_id=run.id)
    telemetry.count("stream_reattach_total")
    pings = asked.include_pings is not False
    return await streamed(me, run, pings=pings, after=asked.starting_after)


async def cancelled(
    me: Caller,
    agent_id: str,
    *,
    conversation_id: str | None = None,
    run_ids: Sequence[str] | None = None,
) -> Response:
    """Stop runs of an agent: those given, else what goes on; tell how each has ended."""
    told = await me.runtime.runner.cancel(
        me.actor,
        agent_id=agent_id,
        conversation_id=conversation_id,
        run_ids=run_ids,
        wait_s=_CANCELLED_S,
    )
    return JsonReply(told)


def followed(me: Caller, run: Run, *, form: Form, after: int = 0) -> Response:
    """Return the run's events past place `after` as a stream in the form that is asked for."""
    runner = me.runtime.runner
    read = runner.read_round if begins_round(run) else runner.read
    told = read(me.actor, run.id, after=after)
    return EventStream(told, run_id=run.id, form=form, keepalive_s=me.runtime.keepalive_s)


async def lens_for(me: Caller, run: Run) -> Lens:
    """Return how the answer of a run is shown to who asked for it."""
    kind = await agent_type(me, run.agent_id)
    return lens_of(run.options, agent_type=kind)


async def _request_hash(request: Request, actor: Actor) -> str:
    """Return what an SDK's own retry of this request shares with it: actor, path, body and key."""
    digest = hashlib.sha256()
    key = request.headers.get(KEY)
    keyed = () if key is None else (key.encode(),)
    for part in (actor.user_id.encode(), request.url.path.encode(), await request.body(), *keyed):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _busy(request: Request, runtime: Runtime) -> Busy:
    """Return what is to become of a message to a list at work: what the request says, or we do."""
    asked = request.headers.get(BUSY)
    if asked is None:
        return runtime.busy
    if asked not in get_args(Busy):
        raise Invalid(f"The header {BUSY} is reject, queue or interrupt.")
    return cast("Busy", asked)


def _retry_count(request: Request) -> int:
    """Return how often the SDK has sent this request before; anything odd counts as a first try."""
    text = request.headers.get("x-stainless-retry-count", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
