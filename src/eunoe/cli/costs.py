"""`eunoe costs`: what was spent on models, as the running server has it."""

from datetime import UTC, datetime, timedelta

from eunoe.cli.files import connected
from eunoe.cli.memory import print_rows


def costs(*, by: str | None, days: float | None, agent: str | None, url: str | None) -> int:
    """Print what was spent, in all or by group."""
    since = None if days is None else (datetime.now(UTC) - timedelta(days=days)).isoformat()
    asked = {"by": by, "since": since, "agent_id": agent}
    with connected(url) as client:
        given = {name: value for name, value in asked.items() if value is not None}
        found = client.listed("/v1/costs", given)
    rows = [
        (one["group"] or "", str(one["steps"]), str(one["unpriced_steps"]), _usd(one["cost_usd"]))
        for one in found
    ]
    print_rows((by or "", "Steps", "Without price", "USD"), rows)
    return 0


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}"
