"""Queries on what was exchanged with the providers of models."""

import zlib

import orjson

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.provider_traces import Exchange, ProviderTrace
from eunoe.domain.runs import Step
from eunoe.store.db import Tx, from_micros, to_micros, unindexed
from eunoe.store.own import inserting

_INSERT = inserting(
    "provider_traces",
    (
        "id", "organization_id", "step_id", "run_id", "agent_id", "model", "latency_ms", "bytes",
        "request_z", "response_z", "created_at",
    ),
)  # fmt: skip


async def insert(tx: Tx, step: Step, exchange: Exchange) -> None:
    await tx.execute(
        _INSERT,
        ids.new("provider_trace"),
        tx.actor.organization_id,
        step.id,
        step.run_id,
        step.agent_id,
        step.model,
        exchange.latency_ms,
        exchange.size,
        exchange.request,
        exchange.response,
        to_micros(step.created_at),
    )


async def of_step(tx: Tx, step_id: str) -> ProviderTrace | None:
    row = await tx.fetch_one(
        "SELECT id, run_id, agent_id, latency_ms, request_z, response_z, created_at"
        f" FROM provider_traces WHERE step_id = $1 AND {unindexed('organization_id')} = $2",
        step_id,
        tx.actor.organization_id,
    )
    if row is None:
        return None
    return ProviderTrace(
        id=row[0],
        step_id=step_id,
        run_id=row[1],
        agent_id=row[2],
        latency_ms=row[3],
        request=_read(row[4]),
        response=_read(row[5]),
        created_at=from_micros(row[6]),
    )


def _read(packed: bytes) -> Json:
    found: Json = orjson.loads(zlib.decompress(packed))
    return found
