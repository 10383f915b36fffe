"""Calls that wait for an answer, and answers that do not fit."""

from eunoe.errors.kinds import Conflict, Invalid


class ApprovalPending(Conflict):
    """Please approve or deny the pending request before continuing: a tool call waits for it."""

    code = "pending_approval"

    def __init__(
        self, message: str | None = None, *, request_id: str, run_id: str | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.request_id = request_id
        self.run_id = run_id


class ApprovalRefused(Invalid):
    """The answer does not fit any tool call that waits for approval."""

    code = "approval_refused"


class ApprovalNotAwaited(ApprovalRefused):
    """No tool call is currently awaiting approval, so there is nothing to answer."""

    code = "approval_not_awaited"


class ApprovalIdsWrong(ApprovalRefused):
    """Invalid tool call IDs: answer exactly the calls that wait for approval."""

    code = "approval_ids_wrong"


class ApprovalEmpty(ApprovalRefused):
    """The answer has no entries; say of each call that waits whether it may run."""

    code = "approval_empty"


class ClientReturnWanted(ApprovalRefused):
    """The tool runs on the client, so that only its return, or a denial, answers the call."""

    code = "client_return_wanted"
