"""Queries on steps: one row for each model call and its tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.domain.runs import Step, StopReason
from eunoe.store import codec, own
from eunoe.store.budgets import ANY
from eunoe.store.db import Row, Tx, Value, among, from_micros, to_micros, unindexed
from eunoe.store.packing import pack, unpack
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_PLAIN: Final = (
    "id", "run_id", "agent_id", "status", "stop_reason", "model", "feedback", "trace_id", "tid",
)  # fmt: skip
_COLUMNS: Final = f"{', '.join(_PLAIN)}, created_at, tags_json, body"
_OWN: Final = {*_PLAIN, "created_at", "tags"}
_STEPS: Final = Listing(noun="step", table="steps", columns=_COLUMNS, unknown_cursor="missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFilter:
    """Dates are exclusive on both ends (api 19.4)."""

    run_id: str | None = None
    agent_id: str | None = None
    model: str | None = None
    trace_ids: tuple[str, ...] = ()
    feedback: str | None = None
    has_feedback: bool | None = None
    tags: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


_INSERT: Final = (
    "INSERT INTO steps (id, organization_id, run_id, agent_id, status, stop_reason, model,"
    " feedback, trace_id, tid, body, created_at, cost_nanos, key_id, tags_json)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    " ON CONFLICT (id) DO UPDATE SET status = excluded.status, model = excluded.model,"
    " stop_reason = excluded.stop_reason, trace_id = excluded.trace_id, body = excluded.body"
)


async def insert(tx: Tx, step: Step) -> bool:
    """Store a step; one stored already (a settled one) is replaced, but its feedback and tags.

    Returns whether the organization has budgets, so that nobody has to ask.
    """
    statement = f"{_INSERT} RETURNING {ANY.format('$2')}"
    return bool(await tx.fetch_value(statement, *_values(tx, step)))


async def stop_last(tx: Tx, run_id: str, reason: StopReason) -> None:
    """Note on the last step of a run why the run ended after it, unless it says so itself."""
    await tx.execute(
        "UPDATE steps SET stop_reason = $1 WHERE stop_reason IS NULL AND id = (SELECT id FROM steps"
        f" WHERE run_id = $2 AND {unindexed('organization_id')} = $3"
        " ORDER BY created_at DESC, id DESC LIMIT 1)",
        reason,
        run_id,
        tx.actor.organization_id,
    )


async def insert_many(tx: Tx, steps: Sequence[Step]) -> None:
    await tx.execute_many(_INSERT, [_values(tx, step) for step in steps])


def _values(tx: Tx, step: Step) -> tuple[Value, ...]:
    return (
        step.id,
        tx.actor.organization_id,
        step.run_id,
        step.agent_id,
        step.status,
        step.stop_reason,
        step.model,
        step.feedback,
        step.trace_id,
        step.tid,
        _body(step),
        to_micros(step.created_at),
        step.usage.cost_nanos,
        tx.actor.key_id,
        _tags(step.tags),
    )


def _tags(tags: tuple[str, ...]) -> str | None:
    return codec.encode(tags) if tags else None


def _body(step: Step) -> bytes:
    """Return what is stored of a step beside its own columns."""
    rest = codec.told(step) | {"usage": codec.told(step.usage)}
    text = codec.encode({name: held for name, held in rest.items() if name not in _OWN})
    return pack(text.encode())


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> list[Step]:
    """Return all steps of the agents, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM steps WHERE agent_id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2 ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return [_from_row(row) for row in rows]


async def get(tx: Tx, step_id: str) -> Step | None:
    row = await own.row(tx, _STEPS, step_id)
    return None if row is None else _from_row(row)


async def list_steps(tx: Tx, where: StepFilter, page: Page) -> list[Step]:
    """Return a page in the order of (creation, id); raise `Missing` for an unknown cursor."""
    asked = of_organization(tx, "steps")
    asked.linked("steps.run_id = {}", where.run_id)
    asked.linked("steps.agent_id = {}", where.agent_id)
    asked.equal(model=where.model, feedback=where.feedback)
    asked.among("steps.trace_id", where.trace_ids)
    asked.tagged("steps.tags_json", where.tags, every=False)
    if where.start is not None:
        asked.add("steps.created_at > {}", to_micros(where.start))
    if where.end is not None:
        asked.add("steps.created_at < {}", to_micros(where.end))
    if where.has_feedback is not None:
        asked.add(f"steps.feedback IS {'NOT ' if where.has_feedback else ''}NULL")
    return [_from_row(row) for row in await listing(tx, _STEPS, asked, page)]


async def set_feedback(
    tx: Tx, step_id: str, *, feedback: str | None, tags: tuple[str, ...]
) -> Step | None:
    """Set or clear the feedback of a step; tags replace when there are any (api 19.4)."""
    changed = await tx.execute(
        "UPDATE steps SET feedback = $1, tags_json = COALESCE($2, tags_json)"
        " WHERE id = $3 AND organization_id = $4",
        feedback,
        _tags(tags),
        step_id,
        tx.actor.organization_id,
    )
    return await get(tx, step_id) if changed else None


async def set_transaction(tx: Tx, step_id: str, tid: str) -> Step | None:
    """Note the caller's own transaction id on a step."""
    changed = await tx.execute(
        "UPDATE steps SET tid = $1 WHERE id = $2 AND organization_id = $3",
        tid,
        step_id,
        tx.actor.organization_id,
    )
    return await get(tx, step_id) if changed else None


def _from_row(row: Row) -> Step:
    own = dict(zip(_PLAIN, row, strict=False)) | {"created_at": from_micros(row[-3])}
    tagged = {"tags": codec.loads(row[-2] or "[]")}
    return codec.step.validate_python(codec.loads(unpack(row[-1])) | own | tagged)
