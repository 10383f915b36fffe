"""Queries on what was exchanged with the providers of models."""

import zlib
from typing import Final

import orjson

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.provider_traces import Exchange, ProviderTrace
from eunoe.domain.runs import Step
from eunoe.store import own
from eunoe.store.db import Tx, Value, to_micros, unindexed
from eunoe.store.mapping import MADE, Kept, mapped


def _read(packed: bytes) -> Json:
    found: Json = orjson.loads(zlib.decompress(packed))
    return found


_TRACES: Final = mapped(
    ProviderTrace,
    "provider_traces",
    noun="trace",
    kept={
        **MADE,
        "request": Kept(column="request_z", read=_read),
        "response": Kept(column="response_z", read=_read),
    },
)


async def insert(tx: Tx, step: Step, exchange: Exchange) -> None:
    row: dict[str, Value] = {
        "id": ids.new("provider_trace"),
        "organization_id": tx.actor.organization_id,
        "step_id": step.id,
        "run_id": step.run_id,
        "agent_id": step.agent_id,
        "model": step.model,
        "latency_ms": exchange.latency_ms,
        "bytes": exchange.size,
        "request_z": exchange.request,
        "response_z": exchange.response,
        "created_at": to_micros(step.created_at),
    }
    await own.insert_rows(tx, "provider_traces", [row])


async def of_step(tx: Tx, step_id: str) -> ProviderTrace | None:
    return await own.first(
        tx,
        _TRACES,
        f"WHERE step_id = $1 AND {unindexed('organization_id')} = $2",
        step_id,
        tx.actor.organization_id,
    )
