"""Queries on steps: one row for each model call and its tools."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eunoe.domain.runs import Step, StopReason
from eunoe.store import codec, own
from eunoe.store.budgets import ANY
from eunoe.store.db import Row, Tx, Value, among, from_micros, to_micros, unindexed
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_PLAIN: Final = (
    "id", "run_id", "agent_id", "status", "stop_reason", "model", "feedback", "trace_id", "tid",
)  # fmt: skip
_COLUMNS: Final = f"{', '.join(_PLAIN)}, created_at, body_json"
_OWN: Final = {*_PLAIN, "created_at"}
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
    " feedback, trace_id, tid, body_json, created_at, cost_nanos, key_id)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    " ON CONFLICT (id) DO UPDATE SET status = excluded.status, model = excluded.model,"
    " stop_reason = excluded.stop_reason, trace_id = excluded.trace_id, body_json ="
)
# What people have tagged it with meanwhile, its run knows nothing of.
_BODY: Final = {
    "sqlite": (
        " CASE WHEN steps.body_json -> 'tags' IS NULL THEN excluded.body_json"
        " ELSE json_set(excluded.body_json, '$.tags', steps.body_json -> 'tags') END"
    ),
    "postgresql": (
        " CASE WHEN steps.body_json::jsonb -> 'tags' IS NULL THEN excluded.body_json"
        " ELSE jsonb_set(excluded.body_json::jsonb, '{tags}',"
        " steps.body_json::jsonb -> 'tags')::text END"
    ),
}


async def insert(tx: Tx, step: Step) -> bool:
    """Store a step; where it is stored already (a settled one), replace it but its feedback.

    Returns whether the organization has budgets, so that nobody has to ask.
    """
    statement = f"{_INSERT}{_BODY[tx.dialect]} RETURNING {ANY.format('$2')}"
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
    await tx.execute_many(_INSERT + _BODY[tx.dialect], [_values(tx, step) for step in steps])


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
    )


def _body(step: Step) -> str:
    """Return what is stored of a step beside its own columns."""
    rest = codec.told(step) | {"usage": codec.told(step.usage)}
    return codec.encode({name: held for name, held in rest.items() if name not in _OWN})


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> list[Step]:
    """Return all steps of the agents, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM steps WHERE agent_id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2 ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return [_from_row(row) for row in rows]


async def get(tx: Tx, step_id: str, *, held: bool = False) -> Step | None:
    """Return a step; `held` keeps its run from settling it until the commit."""
    row = await own.row(tx, _STEPS, step_id, held=held)
    return None if row is None else _from_row(row)


async def list_steps(tx: Tx, where: StepFilter, page: Page) -> list[Step]:
    """Return a page in the order of (creation, id); raise `Missing` for an unknown cursor."""
    asked = of_organization(tx, "steps")
    asked.linked("steps.run_id = {}", where.run_id)
    asked.linked("steps.agent_id = {}", where.agent_id)
    asked.equal(model=where.model, feedback=where.feedback)
    asked.among("steps.trace_id", where.trace_ids)
    asked.tagged(_tags(tx), where.tags, every=False)
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
    step = await get(tx, step_id, held=True)
    if step is None:
        return None
    changed = replace(step, feedback=feedback, tags=tags or step.tags)
    await tx.execute(
        "UPDATE steps SET feedback = $1, body_json = $2 WHERE id = $3 AND organization_id = $4",
        feedback,
        _body(changed),
        step_id,
        tx.actor.organization_id,
    )
    return changed


async def set_transaction(tx: Tx, step_id: str, tid: str) -> Step | None:
    """Note the caller's own transaction id on a step."""
    changed = await tx.execute(
        "UPDATE steps SET tid = $1 WHERE id = $2 AND organization_id = $3",
        tid,
        step_id,
        tx.actor.organization_id,
    )
    return await get(tx, step_id) if changed else None


def _tags(tx: Tx) -> str:
    """Return SQL for the JSON array of a step's tags."""
    match tx.dialect:
        case "sqlite":
            return "steps.body_json -> '$.tags'"
        case "postgresql":
            return "(steps.body_json::jsonb -> 'tags')::text"


def _from_row(row: Row) -> Step:
    own = dict(zip(_PLAIN, row, strict=False)) | {"created_at": from_micros(row[-2])}
    return codec.step.validate_python(codec.loads(row[-1]) | own)
