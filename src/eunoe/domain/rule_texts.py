"""What the model is told of the rules on its tools (TR20)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from eunoe.domain.messages import Json

_INTRODUCTION: Final = (
    "These rules on your tools are enforced: a call that breaks one is refused. Plan for them."
)
_RANKS: Final = {
    "continue_loop": 0,
    "constrain_child_tools": 1,
    "conditional": 1,
    "max_count_per_step": 1,
    "parent_last_tool": 2,
    "exit_loop": 3,
    "required_before_exit": 4,
}


def rule_text(rule: Json) -> str | None:
    """Return the sentence for one rule object, null for a kind that is not shown (FIX-20)."""
    writer = _WRITERS.get(rule["type"])
    return None if writer is None else writer(rule)


def rules_section(rules: Sequence[Json]) -> str:
    """Return the `<tool_usage_rules>` section, empty where no rule has a text (L16)."""
    shown = [rule for rule in rules if rule["type"] in _RANKS]
    ordered = sorted(shown, key=lambda rule: _RANKS[rule["type"]])
    entries = [f"<tool_rule>\n{rule_text(rule)}\n</tool_rule>" for rule in ordered]
    if not entries:
        return ""
    return "\n".join(["<tool_usage_rules>", _INTRODUCTION, "", *entries, "</tool_usage_rules>"])


def _children(rule: Json) -> str:
    return f"Right after `{rule['tool_name']}` you may only use {_either(rule['children'])}."


def _max_count(rule: Json) -> str:
    limit = rule["max_count_limit"]
    times = "once" if limit == 1 else f"{limit} times"
    return f"You may use `{rule['tool_name']}` at most {times} in a response."


def _parent(rule: Json) -> str:
    children, parent = _either(rule["children"]), f"`{rule['tool_name']}`"
    return f"You may use {children} only right after {parent}, and nothing else right after it."


def _either(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if not quoted:
        return "no tool"
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


_WRITERS: Final[Mapping[str, Callable[[Json], str]]] = {
    "continue_loop": lambda rule: (
        f"A call of `{rule['tool_name']}` never ends your response: go on after it."
    ),
    "constrain_child_tools": _children,
    "conditional": lambda rule: (
        f"The output of `{rule['tool_name']}` decides which tool you may use next."
    ),
    "max_count_per_step": _max_count,
    "parent_last_tool": _parent,
    "exit_loop": lambda rule: f"A call of `{rule['tool_name']}` ends your response.",
    "required_before_exit": lambda rule: f"Use `{rule['tool_name']}` before your response ends.",
}
