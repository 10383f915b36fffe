"""Text that any database and any provider can take."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from eunoe.domain.messages import Json

_LONE: Final = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Return `text` without lone surrogates (P10), which UTF-8 cannot hold."""
    return text if text.isascii() else _LONE.sub("", text)


def one_line(text: str) -> str:
    """Return `text` without line breaks, so that nothing in it can forge an entry of a list."""
    return " ".join(well_formed(text).split())


def storable(text: str) -> str:
    return well_formed(text).replace("\x00", "")


def with_strings(value: object, change: Callable[[str], str]) -> object:
    """Return a JSON value with `change` applied to every string in it, keys included."""
    match value:
        case str():
            return change(value)
        case Mapping():
            items = cast("Mapping[str, object]", value)
            return {change(key): with_strings(item, change) for key, item in items.items()}
        case list() | tuple():
            return [with_strings(item, change) for item in cast("Sequence[object]", value)]
        case _:
            return value


def well_formed_json(value: object) -> object:
    """Return a JSON value with `well_formed` applied to every string in it, keys included."""
    return with_strings(value, well_formed)


def json_object(text: str) -> Json:
    """Return the JSON object that `text` is, empty where it is anything else."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return object_of(value)


def object_of(value: object) -> Json:
    """Return the value if it is a JSON object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """Return the value if it is a list, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []
