"""The arguments of a block tool, read one by one; what is wrong is said to the model."""

import re
from collections.abc import Mapping
from typing import Final

from eunoe.domain.wellformed import well_formed
from eunoe.errors import EditInvalid

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}")


def text(arguments: Mapping[str, object], name: str, *, of: str) -> str:
    """Return the text argument `name`; raise `EditInvalid` naming it and the call `of` (M19)."""
    value = optional_text(arguments, name, of=of)
    if value is None:
        raise EditInvalid(f"The argument `{name}` is missing; {of} needs it.", argument=name)
    return value


def optional_text(arguments: Mapping[str, object], name: str, *, of: str) -> str | None:
    """Return the text argument `name`, null where it is absent or null."""
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise EditInvalid(
            f"The argument `{name}` of {of} must be a text, not {_kind(value)}.", argument=name
        )
    return well_formed(value).replace("\x00", "")


def whole_number(arguments: Mapping[str, object], name: str, *, of: str, default: int) -> int:
    """Return the integer argument `name`, `default` where it is absent (FIX-36).

    Models write `3`, `3.0` and `"3"` for the same thing, so all three are taken.
    """
    value = arguments.get(name)
    number = default if value is None else integer(value)
    if number is None:
        raise EditInvalid(f"The argument `{name}` of {of} must be a whole number.", argument=name)
    return number


def integer(value: object) -> int | None:
    """Return the whole number that a model means, null where it is none."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if _INTEGER.fullmatch(value.strip()):
            return int(value)
        case _:
            return None


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
