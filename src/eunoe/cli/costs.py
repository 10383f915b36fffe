"""`eunoe costs` and `eunoe budgets`: what is spent on models, as the running server has it."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from urllib.parse import quote

from eunoe.cli.client import Json, connected
from eunoe.cli.memory import print_rows

_BUDGET: Final = ("Of", "Period", "USD spent", "USD at most")


def costs(*, by: str | None, days: float | None, agent: str | None, url: str | None) -> int:
    """Print what was spent, in all or by group."""
    since = None if days is None else (datetime.now(UTC) - timedelta(days=days)).isoformat()
    asked = {"by": by, "since": since, "agent_id": agent}
    with connected(url) as client:
        found = client.listed("/v1/costs", asked)
    rows = [
        (one["group"] or "", str(one["steps"]), str(one["unpriced_steps"]), _usd(one["cost_usd"]))
        for one in found
    ]
    print_rows((by or "", "Steps", "Without price", "USD"), rows)
    return 0


def budgets(*, url: str | None) -> int:
    """Print what may be spent, and what is."""
    with connected(url) as client:
        found = client.listed("/v1/budgets", {"limit": 1000})
    print_rows(_BUDGET, [_row(one) for one in found])
    return 0


def bound(*, subject: str, period: str, usd: float, url: str | None) -> int:
    """Set a budget, and print it."""
    with connected(url) as client:
        made = client.ask("PUT", _path(subject, period), json={"limit_usd": usd})
    print_rows(_BUDGET, [_row(cast("Json", made))])
    return 0


def unbound(*, subject: str, period: str, url: str | None) -> int:
    """Remove a budget."""
    with connected(url) as client:
        client.ask("DELETE", _path(subject, period))
    sys.stdout.write(f"{subject} has no budget by {period} any more.\n")
    return 0


def _path(subject: str, period: str) -> str:
    return f"/v1/budgets/{quote(subject, safe='')}/{quote(period, safe='')}"


def _row(budget: Json) -> tuple[str, ...]:
    spent, limit = _usd(budget["spent_usd"]), _usd(budget["limit_usd"])
    return budget["subject_id"], budget["period"], spent, limit


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}"
