"""What all shapes of the wire have in common, requests and answers."""

from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Discriminator

from eunoe.domain.messages import Json
from eunoe.wire.times import entity_time

T = TypeVar("T")

_FORMS: Final[dict[type, Callable[[Any], object]]] = {datetime: entity_time, tuple: list}


def _fields(kind: type) -> tuple[Field[Any], ...]:
    return fields(cast("Any", kind))


class Shape(BaseModel):
    """A shape whose validator is made when it is first used."""

    model_config = ConfigDict(defer_build=True)

    def made(self, kind: type[T], /, **differing: object) -> T:
        """Return a value of the domain: each field from the one of the same name here.

        Fields that are not here, or say something else here, are given as `differing`, or are
        left to their defaults.
        """
        names = type(self).model_fields.keys() - differing.keys()
        same = {one.name: getattr(self, one.name) for one in _fields(kind) if one.name in names}
        return kind(**same, **differing)


class Strict(Shape):
    """A request that is refused for a field that nobody knows."""

    model_config = ConfigDict(extra="forbid")


def told_apart(untyped: Callable[[Json], str]) -> Discriminator:
    """Tell shapes apart by their `type`; without one, `untyped` says the kind by the fields."""

    def kind(value: object) -> object:
        if isinstance(value, BaseModel):
            return getattr(value, "type", None)
        if not isinstance(value, dict):
            return None
        sent = cast("Json", value)
        return sent.get("type") or untyped(sent)

    return Discriminator(kind)


def shown_as(kind: type[T], one: object, /, **differing: object) -> T:
    """Return `one` as an answer of this kind: each field from its attribute of the same name.

    Fields for which there is none, or that say something else, are given as `differing`. Times
    look as they do in entities (api 4.1).
    """
    shown: dict[str, object] = {}
    for name in kind.__annotations__:
        value: object = differing[name] if name in differing else getattr(one, name)
        form = _FORMS.get(type(value))
        shown[name] = value if form is None else form(value)
    return cast("T", shown)


def distinct(given: Iterable[T] | None) -> tuple[T, ...]:
    """Return what was given, each once, in the order given; null is nothing."""
    return tuple(dict.fromkeys(given or ()))


def distinct_if_sent(given: Iterable[T] | None) -> tuple[T, ...] | None:
    """Return what was given, each once; null says nothing and stays null."""
    return None if given is None else distinct(given)
