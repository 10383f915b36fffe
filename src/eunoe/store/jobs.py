"""Queries on jobs: one list over the tables of all that goes on in the background (api 19.5).

A kind of work joins with one SELECT in `_KINDS`, which gives it the columns of all. Each column
has one type in all of them: SQLite merges their indexes only then, and sorts everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.jobs import ACTIVE, Job, JobType
from eunoe.store import codec
from eunoe.store.db import Row, Tx
from eunoe.store.mapping import FLAG, MADE, TIME, json, mapped
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.runs import called_back
from eunoe.store.where import Where, of_organization

_BATCH: Final = '{"job_type":"batch_messages"}'
_KINDS: Final[Mapping[JobType, str]] = {
    "run": (
        "SELECT id, organization_id, 'run' AS job_type, status, stop_reason, metadata_json,"
        " options_json, CAST(NULL AS TEXT) AS callback_url, background, agent_id,"
        " callback_sent_at, callback_status_code, callback_error, ttft_ns, total_duration_ns,"
        " user_id, created_at, completed_at, CAST(NULL AS TEXT) AS source_id FROM runs"
    ),
    "batch": (
        "SELECT id, organization_id, 'batch' AS job_type, status,"
        " CAST(CASE status WHEN 'completed' THEN 'end_turn' WHEN 'failed' THEN 'error'"
        " WHEN 'cancelled' THEN 'cancelled' END AS TEXT) AS stop_reason,"
        f" CAST('{_BATCH}' AS TEXT) AS metadata_json, CAST(NULL AS TEXT) AS options_json,"
        " callback_url, CAST(1 AS INTEGER) AS background, CAST(NULL AS TEXT) AS agent_id,"
        " callback_sent_at, callback_status_code, callback_error, CAST(NULL AS BIGINT) AS ttft_ns,"
        " CAST((completed_at - created_at) * 1000 AS BIGINT) AS total_duration_ns, user_id,"
        " created_at, completed_at, CAST(NULL AS TEXT) AS source_id FROM batches"
    ),
}
_JOBS: Final = mapped(
    Job,
    "jobs",
    noun="job",
    kept={**MADE, "completed_at": TIME, "metadata": json(codec.loads), "background": FLAG},
    without=("called_back",),
)
_COLUMNS: Final = (
    f"{_JOBS.columns}, jobs.options_json, jobs.callback_sent_at, jobs.callback_status_code,"
    " jobs.callback_error"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """`source_id` asks for the work on a folder."""

    kinds: tuple[JobType, ...] = tuple(_KINDS)
    active: bool = False
    source_id: str | None = None


async def get(tx: Tx, job_id: str, *, kinds: tuple[JobType, ...] = tuple(_KINDS)) -> Job | None:
    where = of_organization(tx, "jobs").equal(**{"jobs.id": job_id})
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM {_source(kinds)} WHERE {where.sql}", *where.args
    )
    return None if row is None else _read(tx, row)


async def list_jobs(tx: Tx, asked: JobFilter, page: Page) -> list[Job]:
    """Return a page in the order of (creation, id); raise `Invalid` for an unknown cursor."""
    what = Listing(
        noun="job",
        table="jobs",
        source=_source(asked.kinds),
        columns=_COLUMNS,
        unknown_cursor="invalid",
    )
    return [_read(tx, row) for row in await listing(tx, what, _where(tx, asked), page)]


def _where(tx: Tx, asked: JobFilter) -> Where:
    where = of_organization(tx, "jobs").equal(**{"jobs.source_id": asked.source_id})
    return where.among("jobs.status", ACTIVE) if asked.active else where


def _source(kinds: tuple[JobType, ...]) -> str:
    return f"({' UNION ALL '.join(_KINDS[kind] for kind in kinds)}) AS jobs"


def _read(tx: Tx, row: Row) -> Job:
    """Read a row of `_COLUMNS`; a run has the address to call back in its options."""
    rest = len(_JOBS.fields)
    job = _JOBS.read(tx, row, called_back=called_back(row, rest + 1))
    options = codec.optional(codec.run_options.validate_json, row[rest])
    return job if options is None else replace(job, callback_url=options.callback_url)
