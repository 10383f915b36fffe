"""Runs and message lists."""

from eunoe.errors.kinds import Conflict, EunoeError, Invalid, Missing, Unavailable


class ListBusy(Conflict):
    """Another run is working on this message list; wait until it ends or cancel it."""

    code = "list_busy"

    def __init__(self, *, run_id: str | None) -> None:
        super().__init__(run_id=run_id)
        self.run_id = run_id


class LineFull(Conflict):
    """Too many messages wait for this message list already; send it again when it is quieter."""

    code = "line_full"
    heals = True


class BudgetSpent(Conflict):
    """A budget is spent; raise it, or wait for its next period."""

    code = "budget_spent"


class KeyReused(Invalid):
    """The Idempotency-Key was sent with another body before; take a new key for a new request."""

    code = "idempotency_key_reused"


class KeyInUse(Conflict):
    """The first request with this Idempotency-Key is still being answered; ask again soon."""

    code = "idempotency_key_in_use"
    heals = True


class AnswerLost(Conflict):
    """What this Idempotency-Key asked for was done, but the answer was not kept; look it up."""

    code = "idempotent_answer_lost"


class OutcomeUnknown(Conflict):
    """What this Idempotency-Key asked for broke off midway; look what was done, and ask anew."""

    code = "idempotent_outcome_unknown"


class AgentUnnamed(Invalid):
    """The conversation `default` is an agent's own; say with agent_id whose."""

    code = "agent_unnamed"


class OtidReused(Conflict):
    """The otid was already used in another request; send a new one with new content."""

    code = "otid_reused"


class NothingToCancel(Conflict):
    """No run is active here, so there is nothing to cancel."""

    code = "no_active_runs_to_cancel"


class RunCancelled(Conflict):
    """The run was cancelled before its answer was whole; send the message again if you want it."""

    code = "run_cancelled"


class FenceLost(Conflict):
    """The run is no longer owned by this process; another one has taken it over."""

    code = "fence_lost"


class RunExpired(Missing):
    """The events of this run are no longer kept; read its messages instead."""

    code = "run_expired"


class ServerStopping(Unavailable):
    """The server process is stopping and the run goes on; ask again, or stream it by its id."""

    code = "server_stopping"


class RunAbandoned(EunoeError):
    """The server stopped again and again while this run went on; send the message once more."""

    code = "server_restart"
