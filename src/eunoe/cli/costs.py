"""`eunoe costs` and `eunoe budgets`: what the running server spent, and how much it may."""

from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.text import Text

from eunoe.cli.client import Json
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


def budgets(*, url: str | None) -> int:
    """Print the budgets, and what is spent of each."""
    with connected(url) as client:
        found = client.listed("/v1/budgets")
    rows = [
        (one["subject_id"], one["period"], _usd(one["limit_usd"]), _usd(one["spent_usd"]))
        for one in found
    ]
    print_rows(("Whose", "Period", "Limit in USD", "Spent"), rows)
    return 0


def bound(*, subject: str, period: str, usd: float, url: str | None) -> int:
    """Set a budget."""
    body: Json = {"limit_usd": usd}
    with connected(url) as client:
        client.ask("PUT", f"/v1/budgets/{subject}/{period}", json=body)
    Console().print(Text(f"{subject}: {usd:g} USD, {period}"))
    return 0


def unbound(*, subject: str, period: str, url: str | None) -> int:
    """Remove a budget."""
    with connected(url) as client:
        client.ask("DELETE", f"/v1/budgets/{subject}/{period}")
    Console().print(Text(f"{subject}: no budget, {period}"))
    return 0


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}"
