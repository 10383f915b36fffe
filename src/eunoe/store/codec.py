"""Between domain values and the JSON text that is stored, for every value kept whole.

Dataclasses are written as they are (orjson knows them) and read by validation, so
a row that does not fit its type fails loudly instead of travelling on.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cached_property, lru_cache
from typing import Any, Final, Generic, TypeVar, cast

import orjson
from pydantic import TypeAdapter

from eunoe.domain.agents import CompactionSettings
from eunoe.domain.call_policies import CallPolicies
from eunoe.domain.events import RunEvent
from eunoe.domain.inputs import Ask
from eunoe.domain.messages import Answer, Json, Message
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.runs import RunOptions, Step, Usage
from eunoe.domain.templates import Snapshot
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import Invalid, ValueTooLong

T = TypeVar("T")

_FINDABLE_BYTES: Final = 2_000


class Reader(Generic[T]):
    """Reads values of one type. It is made when the first is read: a start need not wait for it."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)

    def validate_json(self, text: str | bytes) -> T:
        return self._adapter.validate_json(text)

    def validate_python(self, value: object) -> T:
        return self._adapter.validate_python(value)


def _kept(kind: type[T]) -> Callable[[str], T]:
    """Return a reader that remembers: thousands of agents are configured with a few texts.

    What it returns is shared, which frozen values may be.
    """
    return lru_cache(maxsize=1_000)(Reader(kind).validate_json)


run_event: Final = Reader(cast("type[RunEvent]", RunEvent))
model_config: Final = _kept(ModelConfig)
embedding_config: Final = _kept(EmbeddingConfig)
compaction_settings: Final = _kept(CompactionSettings)
call_policies: Final = _kept(CallPolicies)
answers: Final = Reader(tuple[Answer, ...])
ask: Final = Reader(Ask)
run_options: Final = Reader(RunOptions)
usage: Final = Reader(Usage)
message: Final = Reader(Message)
messages: Final = Reader(tuple[Message, ...])
step: Final = Reader(Step)
snapshot: Final = Reader(Snapshot)
tool: Final = Reader(Tool)
tool_result: Final = Reader(ToolResult)
_object: Final = Reader(Json)


def encode(value: Any) -> str:
    """Return `value` as JSON text.

    Raises `Invalid` for a number past 64 bits and for nesting past 254 levels, neither of
    which can be written so that every reader gets it back.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise Invalid(
            f"A value in it cannot be stored: {error}. Send numbers of at most 64 bits, in "
            "objects nested at most 254 deep."
        ) from error


def told(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that say something else than by default.

    Those are what a reader fills in: another default needs a migration of what is stored. `type`
    stays, by which a reader tells a union's members apart.
    """
    return {
        name: held
        for name, usual in _usual(value.__class__)
        if (held := getattr(value, name)) != usual or name == "type"
    }


@lru_cache
def _usual(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (it.name, it.default if it.default_factory is MISSING else it.default_factory())
        for it in fields(kind)
    )


def optional(read: Callable[[str], T], text: str | None) -> T | None:
    """Return what `read` makes of `text`, null for null."""
    return None if text is None else read(text)


def loads(text: str | bytes | None) -> Any:
    """Return the JSON value that `text` holds, null for null."""
    return None if text is None else orjson.loads(text)


def loads_object(text: str | None) -> Json | None:
    """Return the JSON object that `text` holds, null for null."""
    if text is None:
        return None
    # orjson reads as deep as it writes, where pydantic stops near 200 levels.
    return _object.validate_python(orjson.loads(text))


def findable(text: str) -> str:
    """Return a text that an index holds; raise `ValueTooLong` past what both engines can hold."""
    if len(text) > _FINDABLE_BYTES or len(text.encode("utf-8", "ignore")) > _FINDABLE_BYTES:
        raise ValueTooLong
    return text


def optional_json(value: Any) -> str | None:
    """Return `value` as JSON text, null for null."""
    return None if value is None else encode(value)


def flag(value: bool | None) -> int | None:
    """Return a truth value as stored, null for null."""
    return None if value is None else int(value)
