"""Arguments that rules give to a call, over what the model wrote (TR16)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.tool_rules import Child, History, RunFirst, ToolRule

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


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
            elif not _fits(value, properties[key]):
                found.append(f"{one.origin}: the value for `{key}` does not suit its schema")
    return found


def _fits(value: object, schema: object) -> bool:
    """Whether `value` satisfies `const`, `enum`, `anyOf`, `oneOf` and `type` of `schema`."""
    if not isinstance(schema, Mapping):
        return True
    wanted = cast("Mapping[str, object]", schema)
    if "const" in wanted and not _same(value, wanted["const"]):
        return False
    if "enum" in wanted and not any(_same(value, one) for one in _list(wanted["enum"])):
        return False
    for either in ("anyOf", "oneOf"):
        if either in wanted and not any(_fits(value, one) for one in _list(wanted[either])):
            return False
    kinds = _list(wanted["type"]) if "type" in wanted else []
    return not kinds or any(_is(value, kind) for kind in kinds)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _is(value: object, kind: object) -> bool:
    """Whether `value` is of the JSON type `kind`; booleans are no numbers, unknown types pass."""
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    types = _TYPES.get(kind) if isinstance(kind, str) else None
    if types is None:
        return True
    return isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool))
