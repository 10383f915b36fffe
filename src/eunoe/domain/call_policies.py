"""What an agent may do with its tools without being asked: by tool, and by the call's arguments.

The first policy that fits a call decides it, whatever the agent's rules say of approvals; a call
that none fits is left to the rules. A client's tool waits for its client in any case but denial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, cast

from eunoe.domain.messages import Answer, Decision, Json, ToolCall, words_of
from eunoe.domain.tool_rules import DENIED

Effect: TypeAlias = Literal["allow", "ask", "deny"]
Verdict: TypeAlias = Literal["approve", "deny"]

_NOTHING: Final = object()
_EXPIRED: Final = "Nobody answered within {seconds:g} seconds."


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """`tool` and the values of `arguments`, by JSON pointer, are patterns with `*`, `?` and `[…]`.

    A call that waits is decided by `then` after `expires_after_s`; null waits for ever.
    """

    effect: Effect
    tool: str = "*"
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    reason: str | None = None
    expires_after_s: float | None = None
    then: Verdict = "deny"

    @property
    def told(self) -> str:
        """What the model reads of a call that this denies."""
        why = f" The reason given: {self.reason}" if self.reason else ""
        return f"{DENIED} A policy of this agent does not allow this call.{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicies:
    """The policies of an agent in order; `webhook_url` is told of each request that waits."""

    policies: tuple[CallPolicy, ...] = ()
    webhook_url: str | None = None


def deciding(
    policies: Sequence[CallPolicy], name: str, arguments: Json | None
) -> CallPolicy | None:
    """Return the first policy that fits a call; arguments of null fit no pattern of one."""
    return next((one for one in policies if _fits(one, name, arguments)), None)


def foreseen(policies: Sequence[CallPolicy], name: str) -> CallPolicy | Literal["unsure"] | None:
    """Return what decides each call of a tool, `unsure` where that is for its arguments to say."""
    first = next((one for one in policies if fnmatchcase(name, one.tool)), None)
    return "unsure" if first is not None and first.arguments else first


def _fits(policy: CallPolicy, name: str, arguments: Json | None) -> bool:
    if not fnmatchcase(name, policy.tool):
        return False
    return all(
        (found := _at(pointer, arguments)) is not _NOTHING and fnmatchcase(words_of(found), pattern)
        for pointer, pattern in policy.arguments.items()
    )


def _at(pointer: str, value: object) -> object:
    """Return what a JSON pointer (RFC 6901) leads to."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = cast("Json", value).get(key, _NOTHING)
        elif isinstance(value, list) and key.isdecimal():
            items = cast("list[object]", value)
            value = items[int(key)] if int(key) < len(items) else _NOTHING
        else:
            return _NOTHING
    return _NOTHING if value is None and not pointer else value


# Requests that nobody answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a request is decided by itself, and how."""

    at: datetime
    answers: tuple[Answer, ...]


def deadline(
    decided: Sequence[tuple[ToolCall, CallPolicy | None]], *, now: datetime
) -> Deadline | None:
    """Return what becomes of a request by itself: null where one of its calls waits for ever.

    All calls of a request are answered at once, so the latest of their times counts.
    """
    answers: list[Answer] = []
    latest = 0.0
    for call, policy in decided:
        if policy is None or policy.expires_after_s is None:
            return None
        latest = max(latest, policy.expires_after_s)
        approve = policy.then == "approve" and not call.by_client
        reason = None if approve else _EXPIRED.format(seconds=policy.expires_after_s)
        answers.append(Decision(call_id=call.id, approve=approve, reason=reason))
    return Deadline(at=now + timedelta(seconds=latest), answers=tuple(answers)) if answers else None
