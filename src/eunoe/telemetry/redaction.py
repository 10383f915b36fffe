"""What never leaves in a log or a report: secrets, and the text of messages unless asked for."""

import json
import re
from collections.abc import Iterable, Sized
from typing import Final, cast

HIDDEN: Final = "[redacted]"
_SHORTEST_SECRET: Final = 6
"""A shorter one would blot out ordinary words, and protects nothing."""
_SECRET_NAME: Final = re.compile(
    r"(?i)key|token|password|secret|authorization|cookie|dsn|environment_variables"
)
_SECRET_SHAPE: Final = re.compile(r"(?i)(\bbearer\s+)[^\s\"',]+|(://[^/\s:@\"]+:)[^@\s\"]+(?=@)")
_CONTENT_NAMES: Final = frozenset(
    {
        "arguments",
        "body",
        "content",
        "input",
        "memory",
        "messages",
        "output",
        "prompt",
        "query",
        "request_data",
        "response_data",
        "result",
        "text",
        "value",
    }
)


def redacted(name: str, value: object, *, content: bool) -> object:
    """Return the value as it may be written under this name. Counts of tokens are no secrets."""
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    if name in _CONTENT_NAMES and not content:
        size = len(cast("Sized", value)) if isinstance(value, (str, bytes, list, dict)) else 1
        return f"[{size} withheld]"
    if isinstance(value, dict):
        inner = cast("dict[object, object]", value)
        return {str(key): redacted(str(key), item, content=content) for key, item in inner.items()}
    if isinstance(value, (list, tuple)):
        items = cast("Iterable[object]", value)
        return [redacted("", item, content=content) for item in items]
    return value


class Blot:
    """Takes the known secrets, and what looks like one, out of a finished line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        quoted = {json.dumps(secret)[1:-1] for secret in known}
        longest_first = sorted(known | quoted, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def __call__(self, line: str) -> str:
        if self._known is not None:
            line = self._known.sub(HIDDEN, line)
        return _SECRET_SHAPE.sub(lambda match: f"{match[1] or match[2]}{HIDDEN}", line)
