"""The policies of an agent's calls as the wire has them, and what is told of a request."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import TypedDict

from eunoe.domain.call_policies import CallPolicies, CallPolicy, Effect, Verdict
from eunoe.domain.messages import Json, Message
from eunoe.wire.sends import CallbackUrl
from eunoe.wire.shape import Strict, shown_as

MOST_POLICIES: Final = 100
_YEAR_S: Final = 31_536_000

Pattern = Annotated[str, StringConstraints(max_length=1_000)]
Pointer = Annotated[str, StringConstraints(pattern=r"^(/.*)?$", max_length=200)]


class Policy(Strict):
    """What becomes of the calls that it fits."""

    effect: Effect
    tool: Pattern = Field(
        default="*", description="Name of the tool; `*`, `?`, `[…]` stand for more."
    )
    arguments: dict[Pointer, Pattern] = Field(
        default={},
        max_length=20,
        description="Patterns of the values at these JSON pointers; all have to fit.",
    )
    reason: str | None = Field(default=None, max_length=1_000)
    expires_after_s: float | None = Field(default=None, ge=1, le=_YEAR_S)
    then: Verdict = Field(default="deny", description="What becomes of a call that nobody decides.")

    @model_validator(mode="after")
    def _check_expiry(self) -> Self:
        if self.expires_after_s is not None and self.effect != "ask":
            raise ValueError(
                "Only a call that is asked about can expire; leave `expires_after_s` out."
            )
        return self


class PoliciesOfCalls(Strict):
    """Policies in order, the first that fits deciding, and who is told of what waits."""

    policies: list[Policy] = Field(default=[], max_length=MOST_POLICIES)
    webhook_url: CallbackUrl | None = None

    def given(self) -> CallPolicies | None:
        if not self.policies and self.webhook_url is None:
            return None
        policies = tuple(CallPolicy(**one.model_dump()) for one in self.policies)
        return CallPolicies(policies=policies, webhook_url=self.webhook_url)


def shown(policies: CallPolicies | None) -> Json:
    found = PoliciesOfCalls.model_validate(policies or CallPolicies(), from_attributes=True)
    return found.model_dump()


class WaitingCall(TypedDict):
    tool_call_id: str
    name: str
    arguments: str


class ApprovalWaits(TypedDict):
    """What a webhook is told of a request."""

    type: str
    message_id: str
    agent_id: str
    conversation_id: str | None
    run_id: str | None
    tool_calls: list[WaitingCall]
    created_at: str
    expires_at: str | None


def approval_waits(request: Message, *, expires_at: datetime | None) -> ApprovalWaits:
    return shown_as(
        ApprovalWaits,
        request,
        type="approval_request",
        message_id=request.id,
        tool_calls=[shown_as(WaitingCall, one, tool_call_id=one.id) for one in request.calls],
        expires_at=expires_at,
    )
