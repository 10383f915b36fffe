"""From the arguments of a call, as JSON has them, to those that the function's types ask for."""

import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import json
import pathlib
import types
import typing
import uuid
from collections import abc
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

_TEXTS: Final[Mapping[object, Callable[[str], Any]]] = {
    int: int,
    float: float,
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
    decimal.Decimal: decimal.Decimal,
    pathlib.Path: pathlib.Path,
    uuid.UUID: uuid.UUID,
}
_TRANSPARENT: Final = (typing.Annotated, typing.Required, typing.NotRequired)
_TRUTHS: Final = {"true": True, "false": False, "1": True, "0": False}
_CONTAINERS: Final[Mapping[object, type]] = {
    **{one: one for one in (list, dict, tuple, set, frozenset)},
    **dict.fromkeys((abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection), list),
    **dict.fromkeys((abc.Set, abc.MutableSet), set),
    **dict.fromkeys((abc.Mapping, abc.MutableMapping), dict),
}
"""What is made for each type of a container."""


def bound(
    function: Callable[..., Any], given: dict[str, Any], *, extra: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments by place and by name; of `extra`, those that the function asks for.

    A call with an argument too many, or one too few, is left to fail as such a call does (X6);
    but one that may be null is, where it is left out (X18).
    """
    parameters = inspect.signature(function).parameters
    types_of = _annotations(function)
    asked = {name: value for name, value in extra.items() if name in parameters}
    named = {name: coerced(value, types_of.get(name, Any)) for name, value in given.items()} | asked
    for name, parameter in parameters.items():
        choices = typing.get_args(_meant(types_of.get(name)))
        if parameter.default is parameter.empty and type(None) in choices:
            named.setdefault(name, None)
    positional = [
        named.pop(name)
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and name in named
    ]
    return positional, named


class Fields(dict[str, Any]):
    """What came for a class that stayed with the client: read by key, or by name as its fields."""

    def __getattribute__(self, name: str) -> Any:
        if name in self:  # also one that a dictionary has a method for, as `items`
            return self.model_validate(self[name])
        return super().__getattribute__(name)

    @classmethod
    def model_validate(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [cls.model_validate(one) for one in cast("list[Any]", value)]
        return cls(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types that can be found; one may name what is not there, and then says nothing."""
    found: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        alone = types.SimpleNamespace(
            __annotations__={name: annotation}, __globals__=getattr(function, "__globals__", {})
        )
        with contextlib.suppress(Exception):
            found |= typing.get_type_hints(alone, alone.__globals__, include_extras=True)
    return found


def _meant(wanted: Any) -> Any:
    """Return the type behind `Annotated`, `NewType` and `type X = …`."""
    while True:
        if typing.get_origin(wanted) in _TRANSPARENT:
            wanted = typing.get_args(wanted)[0]
        elif hasattr(wanted, "__supertype__"):
            wanted = wanted.__supertype__
        elif type(wanted).__name__ == "TypeAliasType":  # from Python 3.12 on
            wanted = wanted.__value__
        else:
            return wanted


def coerced(value: Any, wanted: Any) -> Any:
    """Return the value as the annotation asks for it, or as it is where that cannot be (X28).

    Text stays text wherever text may be meant (FIX-55). A model, data class or enumeration that
    refuses the value raises.
    """
    wanted = _meant(wanted)
    origin = typing.get_origin(wanted)
    if origin in {typing.Union, types.UnionType}:
        return _one_of(value, typing.get_args(wanted))
    if (origin or wanted) in _CONTAINERS:
        return _container(value, _CONTAINERS[origin or wanted], typing.get_args(wanted))
    if inspect.isclass(wanted):
        return _instance(value, wanted)
    return value


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if value is None and type(None) in choices:
        return None
    choices = tuple(choice for choice in choices if choice is not type(None))
    if str in choices and isinstance(value, str):
        return value
    failure: Exception | None = None
    for choice in choices:
        try:
            found = coerced(value, choice)
        except Exception as error:  # noqa: BLE001 -- the next choice may take it
            failure = error
        else:
            if len(choices) == 1 or found is not value or _is_instance(value, choice):
                return found
    if failure is not None:
        raise failure
    return value


def _is_instance(value: Any, choice: Any) -> bool:
    kind = typing.get_origin(choice) or choice
    return inspect.isclass(kind) and isinstance(value, kind)


def _container(value: Any, kind: Any, of: tuple[Any, ...]) -> Any:
    whole = _parsed(value) if isinstance(value, str) else value
    if kind is dict:
        if not isinstance(whole, dict) or len(of) != 2:  # noqa: PLR2004 -- keys and values
            return cast("Any", whole)
        pairs = cast("dict[Any, Any]", whole)
        return {coerced(key, of[0]): coerced(item, of[1]) for key, item in pairs.items()}
    if not isinstance(whole, list):
        return whole
    given = cast("list[Any]", whole)
    if kind is tuple and of and of[-1] is not Ellipsis:
        wanted = [*of, *[Any] * len(given)]
    else:
        wanted = [of[0] if of else Any] * len(given)
    items = [coerced(item, one) for item, one in zip(given, wanted, strict=False)]
    return items if kind is list else cast("Any", kind(items))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _instance(value: Any, wanted: Any) -> Any:
    if wanted is bool:
        return _TRUTHS.get(str(value).strip().lower(), value)
    if hasattr(wanted, "model_validate"):
        return _model(value, wanted)
    if dataclasses.is_dataclass(wanted) or typing.is_typeddict(wanted):
        return _record(_parsed(value) if isinstance(value, str) else value, wanted)
    if issubclass(wanted, enum.Enum):
        return _member(value, wanted)
    return _scalar(value, wanted)


def _scalar(value: Any, wanted: Any) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if wanted is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and wanted in _TEXTS:
        with contextlib.suppress(ValueError, ArithmeticError):
            return _TEXTS[wanted](value)
    return value


def _model(value: Any, wanted: Any) -> Any:
    value = _parsed(value) if isinstance(value, str) else value
    return value if isinstance(value, wanted) else wanted.model_validate(value)


def _record(value: Any, wanted: Any) -> Any:
    if not isinstance(value, dict):
        return value
    hints = typing.get_type_hints(wanted, include_extras=True)
    given = cast("dict[str, Any]", value)
    return wanted(**{name: coerced(item, hints.get(name, Any)) for name, item in given.items()})


def _member(value: Any, wanted: Any) -> Any:
    """Return the member of this value, or of this name."""
    if isinstance(value, wanted):
        return value
    if isinstance(value, str) and value in wanted.__members__:
        return wanted[value]
    return wanted(value)
