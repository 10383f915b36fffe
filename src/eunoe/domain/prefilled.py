"""Arguments that rules give to a call, over what the model wrote (TR16)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from eunoe.domain.json_schema import may_fit
from eunoe.domain.messages import Json
from eunoe.domain.tool_rules import Child, History, RunFirst, ToolRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """Arguments that a rule gives; `origin` names the rule."""

    origin: str
    arguments: Json


def prefills(rules: Sequence[ToolRule], *, name: str, history: History) -> list[Prefill]:
    """Return what the rules give to a call of `name` now, in the order of the rules."""
    found: list[Prefill] = []
    for rule in rules:
        if (
            isinstance(rule, RunFirst)
            and rule.tool_name == name
            and not history.called
            and rule.args
        ):
            found.append(Prefill(origin=f"run_first of `{name}`", arguments=rule.args))
        if isinstance(rule, Child) and rule.tool_name == history.last:
            origin = f"constrain_child_tools of `{rule.tool_name}`"
            found += [
                Prefill(origin=origin, arguments=arguments)
                for child, arguments in rule.nodes
                if child == name and arguments
            ]
    return found


def filled(arguments: Json, given: Sequence[Prefill]) -> Json:
    """Return `arguments` with what was given over them; of two for a key the later wins."""
    merged = dict(arguments)
    for one in given:
        merged |= one.arguments
    return merged


def problems(given: Sequence[Prefill], *, parameters: Json) -> list[str]:
    """Return why what was given does not suit the tool's `parameters`, nothing where it does."""
    properties = cast("Mapping[str, object]", parameters.get("properties") or {})
    found: list[str] = []
    for one in given:
        for key, value in one.arguments.items():
            if key not in properties:
                found.append(f"{one.origin}: the tool has no parameter `{key}`")
            elif not may_fit(value, [properties[key]], root=parameters):
                found.append(f"{one.origin}: the value for `{key}` does not suit its schema")
    return found
