"""Queries on runs: claimed by inserting, guarded by a fence, ended once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eunoe.domain.runs import CalledBack, Run
from eunoe.domain.tools import ToolResult
from eunoe.errors import FenceLost
from eunoe.store import codec, own
from eunoe.store.budgets import ANY
from eunoe.store.db import (
    Actor,
    Row,
    Tx,
    among,
    optional_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.mapping import FLAG, MADE, TIME, json, mapped, telling
from eunoe.store.notices import STOP, notifying
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_RUN: Final = mapped(
    Run,
    "runs",
    noun="run",
    kept={
        **MADE,
        "background": FLAG,
        "cancel_requested": FLAG,
        "options": telling(codec.run_options.validate_json),
        "metadata": json(codec.loads),
        "usage": telling(codec.usage.validate_json),
        "completed_at": TIME,
    },
    without=("told_tokens", "called_back", "bounded"),
)
COLUMNS: Final = (
    f"{_RUN.columns}, runs.callback_sent_at, runs.callback_status_code, runs.callback_error"
)
_RUNS: Final = Listing(noun="run", table="runs", columns=COLUMNS)
_ACTIVE: Final = "status IN ('created', 'running')"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    agent_ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    background: bool | None = None
    stop_reason: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What makes a repeated request recognisable (G-5, G-6)."""

    request_hash: str | None = None
    otids_token: str | None = None


async def insert(tx: Tx, run: Run, origin: Origin) -> bool:
    """Store a new run, which claims its list; return whether its organization has budgets.

    Raises `UniqueViolated` when the list is claimed.
    """
    row = own.written(
        tx,
        _RUN,
        run,
        user_id=tx.actor.user_id,
        key_id=tx.actor.key_id,
        request_hash=origin.request_hash,
        otids_token=origin.otids_token,
    )
    bounded = await tx.fetch_value(
        f"{own.inserting('runs', tuple(row))} RETURNING {ANY.format('runs.organization_id')}",
        *row.values(),
    )
    return bool(bounded)


async def insert_where_free(tx: Tx, run: Run) -> bool:
    """Store a new run that nobody asked for; not while another has its list. Whether it is stored.

    Who claims the list at the same moment is waited for, and then has it.
    """
    if await active_on(tx, run.list_id) is not None:
        return False
    asker = tx.actor
    return bool(
        await own.insert(
            tx,
            _RUN,
            run,
            tail=" ON CONFLICT DO NOTHING",
            user_id=asker.user_id,
            key_id=asker.key_id,
        )
    )


async def insert_ended(tx: Tx, ended: Sequence[Run]) -> None:
    """Store runs that have ended elsewhere, as they ended, in one statement."""
    user_id = tx.actor.user_id
    await own.insert_many(tx, _RUN, ended, user_id=user_id, fence=0, cancel_requested=0)


async def ended_of_agents(tx: Tx, agent_ids: Sequence[str]) -> list[Run]:
    """Return all runs of the agents that have ended, oldest first."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM runs WHERE agent_id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2 AND NOT ({_ACTIVE}) ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return [from_row(tx, row) for row in rows]


async def get(tx: Tx, run_id: str) -> Run | None:
    row = await own.row(tx, _RUNS, run_id)
    return None if row is None else from_row(tx, row)


async def active_on(tx: Tx, list_id: str) -> Run | None:
    """Return the run that holds the list, null when it is free."""
    row = await tx.fetch_one(
        f"SELECT {COLUMNS} FROM runs WHERE list_id = $1 AND {_ACTIVE}", list_id
    )
    return None if row is None else from_row(tx, row)


async def claim(tx: Tx, run_id: str) -> tuple[Run, Actor] | None:
    """Become the run's owner: raise its fence, mark it running; null when it has ended.

    A run that waits for its list (`Run.waits`) has no owner either.
    """
    row = await tx.fetch_one(
        "UPDATE runs SET fence = fence + 1, status = 'running'"
        f" WHERE id = $1 AND {_ACTIVE} AND list_id <> id"
        f" RETURNING {COLUMNS}, organization_id, user_id, key_id,"
        f" {ANY.format('runs.organization_id')}",
        run_id,
    )
    if row is None:
        return None
    actor = Actor(organization_id=row[-4], user_id=row[-3], key_id=row[-2])
    return replace(from_row(tx, row), bounded=bool(row[-1])), actor


async def advance(tx: Tx, run: Run) -> None:
    """Store how far the run has come; raise `FenceLost` unless this process still owns it."""
    owned = await tx.execute(
        "UPDATE runs SET step_count = $1, usage_json = $2, context_tokens = $3"
        f" WHERE id = $4 AND fence = $5 AND {_ACTIVE}",
        run.step_count,
        codec.encode(codec.told(run.usage)),
        run.context_tokens,
        run.id,
        run.fence,
    )
    if not owned:
        raise FenceLost(run_id=run.id)


async def hold(tx: Tx, run: Run) -> None:
    """Raise `FenceLost` unless this process owns the run, and keep it so until commit."""
    lock = " FOR SHARE" if tx.dialect == "postgresql" else ""
    owned = await tx.fetch_value(
        f"SELECT 1 FROM runs WHERE id = $1 AND fence = $2 AND {_ACTIVE}{lock}", run.id, run.fence
    )
    if not owned:
        raise FenceLost(run_id=run.id)


async def end(tx: Tx, run: Run) -> str | None:
    """Store how the run ended, on its agent too; raise `FenceLost` when it is not ours.

    Returns the run that waits for its list, the first of them, null where none does.
    """
    owned = await tx.fetch_one(
        "UPDATE runs SET status = $1, stop_reason = $2, metadata_json = $3, usage_json = $4,"
        " step_count = $5, context_tokens = $6, completed_at = $7, ttft_ns = $8,"
        f" total_duration_ns = $9 WHERE id = $10 AND fence = $11 AND {_ACTIVE}"
        " RETURNING (SELECT w.run_id FROM waiting_runs w WHERE w.list_id = runs.list_id"
        " ORDER BY w.urgent, w.created_at, w.run_id LIMIT 1)",
        run.status,
        run.stop_reason,
        codec.encode(run.metadata),
        codec.encode(codec.told(run.usage)),
        run.step_count,
        run.context_tokens,
        optional_micros(run.completed_at),
        run.ttft_ns,
        run.total_duration_ns,
        run.id,
        run.fence,
    )
    if owned is None:
        raise FenceLost(run_id=run.id)
    await tx.execute(
        "UPDATE agents SET last_stop_reason = $1, last_run_completion = $2,"
        " last_run_duration_ms = $3 WHERE id = $4",
        run.stop_reason,
        optional_micros(run.completed_at),
        None if run.total_duration_ns is None else run.total_duration_ns // 1_000_000,
        run.agent_id,
    )
    if run.conversation_id is not None and run.completed_at is not None:
        await tx.execute(
            "UPDATE conversations SET last_run_completion = $1 WHERE id = $2",
            to_micros(run.completed_at),
            run.conversation_id,
        )
    return owned[0]


async def request_cancel(tx: Tx, run_id: str) -> bool:
    """Ask the run's owner to stop, in whichever process; whether the run was active."""
    return bool(
        await tx.execute(
            f"UPDATE runs SET cancel_requested = 1 WHERE id = $1 AND {_ACTIVE}"
            + notifying(tx, STOP, "$1"),
            run_id,
        )
    )


async def withdraw(tx: Tx, run_id: str) -> bool:
    """Mark a run that ended with a request for approval as cancelled; whether it was one (4.2)."""
    agent_id: str | None = await tx.fetch_value(
        "UPDATE runs SET status = 'cancelled', stop_reason = 'cancelled' WHERE id = $1"
        " AND status = 'completed' AND stop_reason = 'requires_approval' RETURNING agent_id",
        run_id,
    )
    if agent_id is None:
        return False
    await tx.execute("UPDATE agents SET last_stop_reason = 'cancelled' WHERE id = $1", agent_id)
    return True


async def to_go_on(tx: Tx, run_ids: Sequence[str]) -> dict[str, int]:
    """Return the fences of those runs that are active and that nobody wants to stop."""
    rows = await tx.fetch(
        f"SELECT id, fence FROM runs WHERE id {among(tx, '$1')} AND {_ACTIVE}"
        " AND cancel_requested = 0",
        codec.encode(list(run_ids)),
    )
    return {row[0]: row[1] for row in rows}


async def unfinished(tx: Tx, *, young: datetime) -> list[str]:
    """Return the ids of all runs that hold a list, of every organization, oldest first.

    Those that somebody owns and that were made after `young` are left out.
    """
    rows = await tx.fetch(
        f"SELECT id FROM runs WHERE {_ACTIVE} AND list_id <> id AND (fence = 0 OR created_at < $1)"
        " ORDER BY created_at, id",
        to_micros(young),
    )
    return [row[0] for row in rows]


async def list_runs(tx: Tx, where: RunFilter, page: Page) -> list[Run]:
    """Return a page in the order of (creation, id); an unknown cursor is ignored (api 5.6)."""
    asked = of_organization(tx, "runs")
    agents = codec.encode(where.agent_ids) if where.agent_ids else None
    asked.linked(f"runs.agent_id {among(tx, '{}')}", agents)
    asked.linked("runs.conversation_id = {}", where.conversation_id)
    asked.among("runs.status", where.statuses)
    asked.equal(
        background=None if where.background is None else int(where.background),
        stop_reason=where.stop_reason,
    )
    return [from_row(tx, row) for row in await listing(tx, _RUNS, asked, page)]


async def delete(tx: Tx, run_id: str) -> bool:
    """Remove a run and its events; its messages and steps stay, without it."""
    await tx.execute(
        "UPDATE messages SET run_id = NULL WHERE run_id = $1 AND organization_id = $2",
        run_id,
        tx.actor.organization_id,
    )
    return await own.delete(tx, "runs", run_id)


# The ledger of effectful tool calls (G-17)


async def call_started(
    tx: Tx, run_id: str, calls: Sequence[tuple[str, str]], *, at: datetime
) -> None:
    """Record (call id, tool name) pairs as started."""
    await tx.execute_many(
        "INSERT INTO tool_calls (run_id, call_id, name, started_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        [(run_id, call_id, name, to_micros(at)) for call_id, name in calls],
    )


async def call_ended(
    tx: Tx, run_id: str, results: Sequence[tuple[str, ToolResult]], *, at: datetime
) -> None:
    await tx.execute_many(
        "UPDATE tool_calls SET result_json = $1, ended_at = $2 WHERE run_id = $3 AND call_id = $4",
        [(codec.encode(result), to_micros(at), run_id, call_id) for call_id, result in results],
    )


async def calls_settled(tx: Tx, run_id: str) -> None:
    """Forget the calls on record: their returns are stored, and their ids may come again."""
    await tx.execute("DELETE FROM tool_calls WHERE run_id = $1", run_id)


async def ledger(tx: Tx, run_id: str) -> dict[str, ToolResult | None]:
    """Return what is on record of the run's calls: a result, or null for one that only started."""
    rows = await tx.fetch("SELECT call_id, result_json FROM tool_calls WHERE run_id = $1", run_id)
    return {row[0]: codec.optional(codec.tool_result.validate_json, row[1]) for row in rows}


def called_back(row: Row, place: int) -> CalledBack | None:
    """Read the three columns of a callback from `place` on, null before the first attempt."""
    at = optional_time(row[place])
    if at is None:
        return None
    return CalledBack(at=at, status_code=row[place + 1], error=row[place + 2])


def from_row(tx: Tx, row: Row) -> Run:
    """Read a row of the run columns."""
    return _RUN.read(tx, row, called_back=called_back(row, len(_RUN.fields)))
