"""Which tools an agent's rules allow at a moment of a run, from what the run has called (3.2).

The history is read from the run's stored messages, so a run that another process takes
over goes on under the same rules (FIX-15).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal, TypeAlias, assert_never

from eunoe.domain.messages import Json, Message, ToolReturn, words_of
from eunoe.domain.rule_texts import rule_text
from eunoe.domain.tools import ToolResult
from eunoe.domain.wellformed import json_object

REFUSED: Final = "[ToolConstraintError]"
"""How the result of a call starts that was not run: it counts for no rule (L38, TR6)."""
DENIED: Final = "[ApprovalDenied]"
"""How the result of a call starts that a person did not want run; it does not count either."""

UNREAD: Final = "[ArgumentsUnreadable]"
"""How the result of a call starts that could not be run, as nobody could read its arguments."""

_NUMBER: Final = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_BOOLEANS: Final = frozenset({"true", "false"})

Bare: TypeAlias = Literal["exit_loop", "continue_loop", "required_before_exit", "requires_approval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFirst:
    """While nothing has been called, only such tools are allowed."""

    tool_name: str
    args: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Right after `tool_name` only `children` are allowed; `nodes` prefill their arguments."""

    tool_name: str
    children: tuple[str, ...]
    nodes: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """Right after `tool_name` only `children` are allowed, and they are at no other time."""

    tool_name: str
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """Right after `tool_name` its output picks the next tool."""

    tool_name: str
    mapping: tuple[tuple[str, str], ...]
    default_child: str | None = None
    require_output_mapping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxCount:
    """`tool_name` is gone after `limit` calls in the run (TR5)."""

    tool_name: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A rule that never restricts what may be called (TR14)."""

    tool_name: str
    kind: Bare


ToolRule: TypeAlias = RunFirst | Child | Parent | Conditional | MaxCount | Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The names a run has called, the oldest first, and what the last of them gave (TR4)."""

    called: tuple[str, ...] = ()
    last_output: str | Json | None = None

    @property
    def last(self) -> str | None:
        return self.called[-1] if self.called else None

    def followed(self, message: Message) -> "History":
        """Return the history after `message`, whose returns count if their calls ran (TR6)."""
        ran = [result for result in message.returns if not was_refused(result)]
        if not ran:
            return self
        names = tuple(result.name for result in ran)
        return replace(self, called=self.called + names, last_output=ran[-1].output)


def history_of(messages: Iterable[Message]) -> History:
    """Return the history of the run that `messages` are of, in order."""
    history = History()
    for message in messages:
        history = history.followed(message)
    return history


def was_refused(result: ToolReturn | ToolResult) -> bool:
    """Whether the call was turned away and not run."""
    told = result.output if isinstance(result.output, str) else ""
    return not result.ok and told.startswith((REFUSED, DENIED, UNREAD))


def rules_of(stored: Sequence[Json]) -> tuple[ToolRule, ...]:
    """Return the rules that the stored objects are; they were checked on their way in."""
    return tuple(_rule(one) for one in stored)


def _rule(one: Json) -> ToolRule:
    name = one["tool_name"]
    match one["type"]:
        case "run_first":
            return RunFirst(tool_name=name, args=one.get("args") or {})
        case "constrain_child_tools":
            nodes = one.get("child_arg_nodes") or ()
            return Child(
                tool_name=name,
                children=tuple(one["children"]),
                nodes=tuple((node["name"], node.get("args") or {}) for node in nodes),
            )
        case "parent_last_tool":
            return Parent(tool_name=name, children=tuple(one["children"]))
        case "conditional":
            return Conditional(
                tool_name=name,
                mapping=tuple(one["child_output_mapping"].items()),
                default_child=one.get("default_child"),
                require_output_mapping=bool(one.get("require_output_mapping")),
            )
        case "max_count_per_step":
            return MaxCount(tool_name=name, limit=one["max_count_limit"])
        case kind:
            return Plain(tool_name=name, kind=kind)


# The solver


def allowed(
    rules: Sequence[ToolRule], *, attached: Sequence[str], history: History
) -> tuple[str, ...]:
    """Return which of the `attached` tools may be called next, in their order (TR11).

    What is left may be nothing: rules that contradict each other are not dropped (FIX-18).
    """
    first = {rule.tool_name for rule in rules if isinstance(rule, RunFirst)}
    if first and not history.called:
        return tuple(name for name in attached if name in first)
    left = tuple(attached)
    for rule in rules:
        left = _left(rule, left, history=history)
    return left


def _left(rule: ToolRule, names: tuple[str, ...], *, history: History) -> tuple[str, ...]:
    """Return which of `names` one rule lets through."""
    after = history.last == rule.tool_name
    match rule:
        case Child(children=children):
            return _among(names, children) if after else names
        case Parent(children=children):
            return tuple(name for name in names if (name in children) is after)
        case Conditional():
            chosen = _chosen(rule, history.last_output) if after else None
            return names if chosen is None else _among(names, chosen)
        case MaxCount(tool_name=limited, limit=limit):
            spent = history.called.count(limited) >= limit
            return tuple(name for name in names if name != limited) if spent else names
        case RunFirst() | Plain():
            return names
        case _:
            assert_never(rule)


def _among(names: tuple[str, ...], chosen: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in chosen)


def _chosen(rule: Conditional, output: str | Json | None) -> tuple[str, ...] | None:
    """Return the tool that the output picks, none, or null for any (TR10, FIX-17).

    Of an object it is the `message` that picks, where it has one.
    """
    whole = json_object(output) if isinstance(output, str) else output or {}
    text = words_of(whole.get("message", output))
    for key, child in rule.mapping:
        if _matches(key, text):
            return (child,)
    if rule.require_output_mapping:
        return ()
    return None if rule.default_child is None else (rule.default_child,)


def _matches(key: str, text: str) -> bool:
    """Whether a tool's returned text is what a mapping's key says, the first that is (TR3).

    JSON made a text of every key, so its looks tell a boolean or a number from a text.
    """
    if key == text:
        return True
    bare = text.strip()
    if key.lower() in _BOOLEANS:
        return bare.lower() == key.lower()
    if not (_NUMBER.fullmatch(key) and _NUMBER.fullmatch(bare)):
        return False
    return Decimal(key) == Decimal(bare)


def is_forced(rules: Sequence[ToolRule], *, history: History) -> bool:
    """Whether the model must call a tool next (TR15)."""
    if not history.called:
        return any(isinstance(rule, RunFirst) for rule in rules)
    return any(
        isinstance(rule, Child | Conditional | Parent) and rule.tool_name == history.last
        for rule in rules
    )


def named(rules: Sequence[ToolRule], kind: Bare) -> frozenset[str]:
    """Return the names of the tools that have a rule of this kind."""
    return frozenset(
        rule.tool_name for rule in rules if isinstance(rule, Plain) and rule.kind == kind
    )


def unmet_before_exit(
    rules: Sequence[ToolRule], *, attached: Sequence[str], called: Sequence[str]
) -> tuple[str, ...]:
    """Return the attached tools that are still to be called before the run may end (L36).

    One that is not attached cannot be called, and waiting for it would never end.
    """
    required = named(rules, "required_before_exit")
    return tuple(name for name in attached if name in required and name not in called)


# What the model is told


def refusal(
    name: str, *, valid: Sequence[str], stored: Sequence[Json] = (), last: str | None = None
) -> str:
    """Return the result of a call outside the valid set, with what the rules say of it (L38)."""
    text = f"{REFUSED} `{name}` cannot be called now. Valid tools: {', '.join(valid) or 'none'}."
    return " ".join([text, *hints(stored, name=name, last=last)])


def hints(stored: Sequence[Json], *, name: str, last: str | None) -> list[str]:
    """Return the texts of the rules on `name`, on what was called last, and of its parents."""
    texts = [
        rule_text(rule)
        for rule in stored
        if rule["tool_name"] in {name, last}
        or (rule["type"] == "parent_last_tool" and name in rule["children"])
    ]
    return [text for text in dict.fromkeys(texts) if text is not None]
