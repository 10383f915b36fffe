"""Taking a request in: one transaction after which nothing of it can be lost (G-3)."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from eunoe import ids, telemetry
from eunoe.domain.inputs import Answers, InputMessage
from eunoe.domain.messages import Json, Message
from eunoe.domain.runs import Busy, Run, RunOptions
from eunoe.errors import Invalid, ListBusy, Missing, OtidReused
from eunoe.runs import line
from eunoe.runs.approvals import admitted
from eunoe.runs.feed import Feed
from eunoe.runs.jobs import Jobs
from eunoe.store import budgets, conversations, lists, repeats, runs, waiting
from eunoe.store.db import Actor, Database, ReferenceMissing, Tx, UniqueViolated
from eunoe.store.runs import Origin

_OTID_RETENTION: Final = timedelta(hours=24)
_RETRY_WINDOW: Final = timedelta(minutes=10)
_SOONEST_RETRY: Final = timedelta(seconds=0.3)
"""The official clients wait at least 0.375 s before they send a request again."""
_AGAIN: Final = "+"
"""Ends the hash of a run that was made for a retry, whose first try never came or is yet to."""
_ATTEMPTS: Final = 5
"""How often a list is asked for that was taken and is free again when one looks."""


Claim: TypeAlias = Callable[[Tx, str], Awaitable[bool]]
"""Takes what a run is made for, in its transaction, given the run's id; whether it was there."""


class _Repeats(Exception):
    """The request has a run already; what was stored for it here is not to stay."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.id)
        self.run = run


class Taken(Exception):
    """What the run was to be made for had been taken already, so there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request to an agent. `otids` are those that the client chose itself, in order.

    `answers`, if any, come before the messages.
    """

    agent_id: str
    conversation_id: str | None = None
    messages: tuple[InputMessage, ...]
    answers: Answers | None = None
    options: RunOptions
    background: bool = False
    run_type: str = "send_message"
    metadata: Json = field(default_factory=dict[str, object])
    otids: tuple[str, ...] = ()
    request_hash: str | None = None
    retry_count: int = 0
    arrived_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    keyed: bool = False
    """Whether `request_hash` stands for this one request, however often it is sent."""
    busy: Busy = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """`repeated` says that the run is an earlier one of the same request (G-5, G-6).

    `waits` says that it begins when its list is free, and `stops` which run makes room for it.
    """

    run: Run
    repeated: bool
    waits: bool = False
    stops: str | None = None


async def submit(
    db: Database,
    jobs: Jobs,
    feed: Feed,
    actor: Actor,
    submission: Submission,
    *,
    claim: Claim | None = None,
) -> Submitted:
    """Claim the message list, store run and input, queue the run; or find the run it repeats.

    Raises `ListBusy` before any effect when another run holds the list (G-12) and the
    submission is not to wait, `Missing` for an unknown agent, and what `admitted` raises;
    `LineFull` where too many wait; `Taken` where `claim` finds nothing.
    """
    try:
        try:
            return await _begun(db, jobs, feed, actor, submission, claim=claim)
        except ListBusy:
            # What is to be answered now cannot wait for what it answers.
            if submission.busy == "reject" or submission.answers is not None or claim is not None:
                raise
            return await _waiting(db, feed, actor, submission)
    except _Repeats as found:
        return Submitted(run=found.run, repeated=True)


async def _waiting(db: Database, feed: Feed, actor: Actor, submission: Submission) -> Submitted:
    """Store run and input to begin when the list is free; raise `LineFull`."""
    run = _run(submission)
    origin = _origin(run, submission)
    said = [_message(run, given) for given in submission.messages]
    urgent = submission.busy == "interrupt"
    try:
        async with feed.opening(run), db.write(actor) as tx:
            await _first_of_all(tx, run, submission)
            holder = await runs.active_on(tx, run.list_id)
            if holder is None:  # Those in line wait for an approval, which nobody may join.
                role = await lists.last_role(tx, run.list_id, agent_id=run.agent_id)
                await admitted(tx, run, None, said, last_role=role or "")
            waiting = await line.join(tx, run, origin, said, urgent=urgent)
            if run.conversation_id is not None:
                await _note(tx, run, run.conversation_id)
            if submission.otids:
                await repeats.claim_otids(tx, run, submission.otids)
            if urgent and holder is not None:
                await runs.request_cancel(tx, holder.id)
            await _first_of_all(tx, run, submission, held=True)
    except UniqueViolated as clash:
        await _clashed(db, actor, run, submission, clash)
        raise
    telemetry.record_run_started(submission.run_type)
    stops = holder.id if urgent and holder is not None else None
    return Submitted(run=waiting, repeated=False, waits=True, stops=stops)


def _origin(run: Run, submission: Submission) -> Origin:
    request_hash = submission.request_hash
    if request_hash is not None and submission.retry_count and not submission.keyed:
        request_hash += _AGAIN
    return Origin(request_hash=request_hash, otids_token=_otids_token(run, submission))


async def _begun(
    db: Database,
    jobs: Jobs,
    feed: Feed,
    actor: Actor,
    submission: Submission,
    *,
    claim: Claim | None,
) -> Submitted:
    run = jobs.taken(_run(submission))
    origin = _origin(run, submission)
    said = [_message(run, given) for given in submission.messages]
    for _ in range(_ATTEMPTS):
        try:
            async with feed.opening(run), db.write(actor) as tx:
                await _first_of_all(tx, run, submission)
                if submission.busy == "queue" and await waiting.first(tx, run.list_id):
                    raise ListBusy(run_id=None)
                await _insert(tx, run, origin, submission, said)
                if claim is not None and not await claim(tx, run.id):
                    raise Taken
                if not run.fence:
                    await jobs.enqueue_in(tx, run.id)
                await _first_of_all(tx, run, submission, held=_is_again(submission))
            break
        except UniqueViolated as clash:
            await _clashed(db, actor, run, submission, clash)
    else:
        raise ListBusy(run_id=None)
    telemetry.record_run_started(submission.run_type)
    await jobs.enqueued(run, actor)
    return Submitted(run=run, repeated=False)


async def _insert(
    tx: Tx, run: Run, origin: Origin, submission: Submission, said: list[Message]
) -> None:
    what = "conversation" if run.conversation_id else "agent"
    unknown = Missing(f"There is no {what} {run.list_id}.")
    try:
        if await runs.insert(tx, run, origin):
            await budgets.admit(tx, run.agent_id, now=run.created_at)
    except ReferenceMissing as error:
        raise unknown from error
    # Looked at once the list is claimed: nobody else can say anything there any more.
    last_role = await lists.last_role(tx, run.list_id, agent_id=run.agent_id)
    if last_role is None:
        raise unknown
    if run.conversation_id is not None:
        await _note(tx, run, run.conversation_id)
    if submission.otids:
        await repeats.claim_otids(tx, run, submission.otids)
    said = await admitted(tx, run, submission.answers, said, last_role=last_role)
    await lists.append(tx, run.list_id, said)


async def _note(tx: Tx, run: Run, conversation_id: str) -> None:
    """Note the message, after the claim: a run that ends marks its conversation last, too.

    In the other order the two would wait for each other. Raises `Missing` where the
    conversation has been deleted meanwhile.
    """
    if not await conversations.note_message(tx, conversation_id, at=run.created_at):
        raise Missing(f"There is no conversation {conversation_id}.")


async def _first_of_all(tx: Tx, run: Run, submission: Submission, *, held: bool = False) -> None:
    """Raise `_Repeats` where the request has another run already (G-6).

    Looked at before the run is stored and after, when it has its list: who claims that at the
    same time waits, and whoever waits in line as well is kept apart by what is `held`. A first
    try is a new request, unless it was under way so long that its own retry came before it.
    """
    if submission.request_hash is None:
        return
    if held:
        await repeats.hold_request(tx, submission.request_hash)
    again = submission.request_hash + _AGAIN
    if _is_again(submission):
        window = _OTID_RETENTION if submission.keyed else _RETRY_WINDOW
        hashes, since = (submission.request_hash, again), run.created_at - window
    elif datetime.now(UTC) - submission.arrived_at > _SOONEST_RETRY:
        hashes, since = (again, again), submission.arrived_at
    else:
        return
    earlier = await repeats.by_origin(tx, hashes=hashes, since=since, but=run.id)
    if earlier is not None:
        raise _Repeats(earlier)


def _is_again(submission: Submission) -> bool:
    return submission.retry_count > 0 or submission.keyed


async def _clashed(
    db: Database, actor: Actor, run: Run, submission: Submission, clash: UniqueViolated
) -> None:
    """Say what the refused request clashed with; return where its rival has just ended.

    Raises `_Repeats` for a repeat, `ListBusy` naming the run that has the list, and
    `OtidReused` naming the one that has the otid.
    """
    # A reader would not see a rival that is yet to be committed, which is what was clashed with.
    async with db.write(actor) as tx:
        await _first_of_all(tx, run, submission)
        token = _otids_token(run, submission)
        if token is not None:
            since = run.created_at - _OTID_RETENTION
            earlier = await repeats.by_origin(tx, otids_token=token, since=since)
            if earlier is not None:
                raise _Repeats(earlier)
        if "otid" in clash.constraint:
            used_by = await repeats.of_otids(tx, run.list_id, submission.otids)
            raise OtidReused(run_id=used_by)
        holder = await runs.active_on(tx, run.list_id)
    if holder is not None:
        telemetry.count("lock_conflict_total")
        raise ListBusy(run_id=holder.id)


def _run(submission: Submission) -> Run:
    options, here = submission.options, telemetry.traceparent()
    if here is not None:
        options = replace(options, traceparent=here)
    return Run(
        id=ids.new("run"),
        agent_id=submission.agent_id,
        list_id=submission.conversation_id or submission.agent_id,
        conversation_id=submission.conversation_id,
        background=submission.background,
        options=options,
        metadata={"run_type": submission.run_type, **submission.metadata},
        created_at=datetime.now(UTC),
    )


def rehearsal(submission: Submission) -> tuple[Run, list[Message]]:
    """Return the run that a request would be and what it would say, neither of them stored.

    Raises `Invalid` for answers to calls: what those come to only the tools know.
    """
    if submission.answers is not None:
        raise Invalid("What follows on answers to calls cannot be known before they are given.")
    run = _run(submission)
    return run, [_message(run, given) for given in submission.messages]


def _message(run: Run, given: InputMessage) -> Message:
    return Message(
        id=ids.new("message"),
        role=given.role,
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        content=given.content,
        name=given.name,
        otid=given.otid,
        sender_id=given.sender_id,
        group_id=given.group_id or run.options.group_id,
        run_id=run.id,
        created_at=run.created_at,
    )


def _otids_token(run: Run, submission: Submission) -> str | None:
    """Return what a repeat of the request shares with it; null unless every item has an otid."""
    if len(submission.otids) < len(submission.messages) + (submission.answers is not None):
        return None
    text = "|".join((run.list_id, *submission.otids))
    return hashlib.sha256(text.encode()).hexdigest()
