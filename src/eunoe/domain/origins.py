"""Where a change comes from, for the record that is kept of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The agent, run, step and message whose call it was; all null for a change by a person."""

    agent_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    message_id: str | None = None
