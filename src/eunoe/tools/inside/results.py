"""From what a function returned to what the server is told."""

import base64
import dataclasses
import datetime as dt
import enum
from collections import abc
from typing import Any, cast


def encoded(value: Any) -> dict[str, Any]:
    """Return the value as a text or an object (X10), or as parts where it shows images.

    Parts are a list of `{"type": "text", "text": …}` and `{"type": "image", "source": {"type":
    "base64", "media_type": …, "data": …}}`, an image among them; `data` may be bytes.
    """
    if isinstance(value, list) and _shows_images(cast("list[Any]", value)):
        return {"parts": plain(value)}
    if isinstance(value, str):
        return {"output": value}
    simple = plain(value)
    return {"output": simple if isinstance(simple, dict) else str(simple)}


def plain(value: Any) -> Any:
    """Return the value as JSON can hold it; what is nothing of the kind, as text (X25)."""
    match value:
        case enum.Enum():
            found = plain(value.value)
        case str() | int() | float() | bool() | None:
            found = value
        case dict():
            pairs = dict(cast("dict[Any, Any]", value))
            found = {_key(key): plain(item) for key, item in pairs.items()}
        case list() | tuple() | abc.Iterator():
            found = [plain(item) for item in cast("list[Any]", value)]
        case bytes():
            found = base64.b64encode(value).decode()
        case dt.date() | dt.time():
            found = value.isoformat()
        case _:
            found = _plain_object(value)
    return found


def _plain_object(value: Any) -> Any:
    if isinstance(value, type):
        return str(value)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    return str(value)


def _key(key: Any) -> str:
    return str(key.value if isinstance(key, enum.Enum) else key)


def _shows_images(value: list[Any]) -> bool:
    """Whether all are parts and one of them is an image."""
    kinds = [cast("dict[str, Any]", item).get("type") for item in value if isinstance(item, dict)]
    return len(kinds) == len(value) and "image" in kinds and set(kinds) <= {"text", "image"}
