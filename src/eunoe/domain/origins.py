"""Who made and changed a thing, and where a change comes from, for the record of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The agent, run, step and message whose call it was; all null for a change by a person."""

    agent_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is known of every thing that is kept: who made it and changed it last, and when."""

    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime
