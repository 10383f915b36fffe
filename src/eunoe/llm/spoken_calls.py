"""A tool call that a model said in words, as one JSON object (P34)."""

from collections.abc import Set as AbstractSet
from typing import Final, cast

import orjson

from eunoe.domain.messages import Json

_WRAPPERS: Final = ("functionCall", "function_call", "tool_call", "function")
_ARGUMENTS: Final = ("arguments", "args", "parameters")


def spoken_call(text: str, *, names: AbstractSet[str]) -> tuple[str, str] | None:
    """Return the name and the arguments of the call that `text` is, or None.

    Nothing is guessed: the whole text is an object, in a code fence or not, that names a tool of
    `names` and has its arguments in an object.
    """
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        said: object = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return None
    for wrapper in _WRAPPERS:
        if isinstance(said, dict) and isinstance(cast("Json", said).get(wrapper), dict):
            said = cast("Json", said)[wrapper]
            break
    if not isinstance(said, dict):
        return None
    call = cast("Json", said)
    arguments = next((call[key] for key in _ARGUMENTS if isinstance(call.get(key), dict)), None)
    if call.get("name") not in names or arguments is None:
        return None
    return str(call["name"]), orjson.dumps(arguments).decode()


def may_be_call(text: str) -> bool:
    """Return whether a text that begins like this may turn out to be a call."""
    begun = text.lstrip()
    return not begun or begun[0] in "{`"
