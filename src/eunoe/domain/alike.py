"""A value made of another that says the same under the same names."""

from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

T = TypeVar("T", bound="Dataclass")


class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def alike(kind: type[T], one: Dataclass, /, **differing: object) -> T:
    """Return a `kind` each field of which is as that of the same name in `one`.

    Fields that `one` does not have, or has otherwise, are given as `differing`, or are left to
    their defaults.
    """
    same = {name: getattr(one, name) for name in _shared(kind, type(one))}
    return kind(**same | differing)


@cache
def _shared(kind: type[Dataclass], other: type[Dataclass]) -> tuple[str, ...]:
    there = {field.name for field in fields(other)}
    return tuple(field.name for field in fields(kind) if field.name in there)
