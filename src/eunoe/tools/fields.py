"""Arguments of the built-in tools, read one by one: forgiving of form, clear about what is wrong.

Models write `3`, `3.0` and `"3"` for a number and `"a"` for a list of one; all are taken.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from eunoe.domain.edit_arguments import integer
from eunoe.errors import ToolArgumentsInvalid

_LARGEST: Final = 10**9


def text(arguments: Mapping[str, object], name: str, *, of: str) -> str:
    """Return the text argument `name` of the tool `of`; raise naming it where it is missing."""
    value = optional_text(arguments, name, of=of)
    if value is None:
        raise ToolArgumentsInvalid(
            f"`{of}` needs the argument `{name}`, and it is missing.", argument=name
        )
    return value


def optional_text(arguments: Mapping[str, object], name: str, *, of: str) -> str | None:
    """Return the text argument `name`, null where it is absent or null."""
    match arguments.get(name):
        case None:
            return None
        case str() as value:
            return value.replace("\x00", "")
        case int() | float() as value if not isinstance(value, bool):
            return str(value)
        case _:
            raise ToolArgumentsInvalid(f"`{name}` of `{of}` must be a text.", argument=name)


def texts(arguments: Mapping[str, object], name: str, *, of: str) -> tuple[str, ...]:
    """Return the list of texts `name` without doubles, empty where it is absent."""
    value = arguments.get(name)
    if value is None:
        return ()
    items = cast("Sequence[object]", value) if isinstance(value, list) else [value]
    found = [item for item in items if isinstance(item, str)]
    if len(found) != len(items):
        raise ToolArgumentsInvalid(f"`{name}` of `{of}` must be a list of texts.", argument=name)
    return tuple(dict.fromkeys(item.replace("\x00", "") for item in found if item.strip()))


def whole_number(arguments: Mapping[str, object], name: str, *, of: str, default: int) -> int:
    """Return the whole number `name`, `default` where it is absent or null."""
    value = arguments.get(name)
    number = default if value is None else integer(value)
    if number is None or abs(number) > _LARGEST:
        raise ToolArgumentsInvalid(f"`{name}` of `{of}` must be a whole number.", argument=name)
    return number


def truth(arguments: Mapping[str, object], name: str, *, of: str) -> bool:
    """Return whether the argument `name` is true; absent, it is not."""
    match arguments.get(name):
        case None | False:
            return False
        case True:
            return True
        case str() as said if said.strip().lower() in {"true", "false"}:
            return said.strip().lower() == "true"
        case _:
            raise ToolArgumentsInvalid(f"`{name}` of `{of}` must be true or false.", argument=name)


def choice(
    arguments: Mapping[str, object], name: str, *, of: str, among: Sequence[str]
) -> str | None:
    """Return the text `name`, which must be one of `among`; null where it is absent."""
    value = optional_text(arguments, name, of=of)
    if value is not None and value not in among:
        raise ToolArgumentsInvalid(
            f"`{name}` of `{of}` must be one of {', '.join(among)}.", argument=name
        )
    return value
