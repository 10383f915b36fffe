"""What was exchanged with a model's provider for one step (streaming 5.5)."""

from dataclasses import dataclass
from datetime import datetime

from eunoe.domain.messages import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answered call of a model, each side as compressed JSON; `size` is that of both before."""

    request: bytes
    response: bytes
    size: int
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTrace:
    id: str
    step_id: str
    run_id: str | None
    agent_id: str | None
    latency_ms: int
    request: Json
    response: Json
    created_at: datetime
