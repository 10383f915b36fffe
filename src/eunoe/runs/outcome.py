"""What came of a run, for whoever waited for its end."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from eunoe.domain.events import Compacting, Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.runs import StopReason
from eunoe.domain.views import View
from eunoe.errors import RunExpired


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that has ended, folded from its events: what a blocking reply is made of."""

    views: tuple[View, ...]
    compactions: tuple[Compacting, ...]
    reason: StopReason
    used: Used
    failed: Failed | None


async def folded(said: AsyncGenerator[tuple[int, RunEvent]], run_id: str) -> Outcome:
    """Return what a run's events say, first to last; raise `RunExpired` where they end early."""
    views: list[View] = []
    compactions: list[Compacting] = []
    reason: StopReason | None = None
    used: Used | None = None
    failed: Failed | None = None
    async for _, event in said:
        match event:
            case Shown(view=view):
                views.append(view)
            case Compacting():
                compactions.append(event)
            case Stopped(reason=stopped):
                reason = stopped
            case Used():
                used = event
            case Failed():
                failed = event
            case Started() | Ended():
                pass
    if reason is None or used is None:
        raise RunExpired(run_id=run_id)
    return Outcome(
        views=tuple(views), compactions=tuple(compactions), reason=reason, used=used, failed=failed
    )
