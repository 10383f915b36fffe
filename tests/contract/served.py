"""What our OpenAPI document says of each operation, in the terms of the official client."""

import functools
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from eunoe.domain.messages import Json
from eunoe.http.api import build_api
from eunoe.http.deps import Runtime

_PARAMETER: Final = re.compile(r"\{(\w+)[^}]*\}")
_HUMP: Final = re.compile(r"(?<=[a-z])([A-Z])")
_PAGE_ENDS: Final = "has_more"
"""The field of an object that is a page; its items are in a list beside it."""
_CHOICES: Final = ("anyOf", "oneOf", "allOf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is asked for and answered; names as the client writes them, with underscores."""

    route: str
    operation_id: str
    parameters: frozenset[str]
    fields: frozenset[str]


def key(verb: str, path: str) -> str:
    """Return what names an operation, whatever its path parameters are called."""
    return f"{verb.upper()} {_PARAMETER.sub('{}', path).rstrip('/')}"


@functools.cache
def document() -> Json:
    """Return the document, which takes seconds to make."""
    return build_api(closed, version="0").openapi()


@functools.cache
def operations() -> dict[str, Operation]:
    """Return every operation of the document, by `key`."""
    return {
        key(verb, path): _operation(document(), verb, path, operation)
        for path, operations in document()["paths"].items()
        for verb, operation in operations.items()
    }


@asynccontextmanager
async def closed() -> AsyncGenerator[Runtime]:
    _never()
    yield  # pyright: ignore[reportUnreachable] -- makes this a generator


def _never() -> NoReturn:
    raise AssertionError("the document is made without a running server")


def _operation(document: Json, verb: str, path: str, operation: Json) -> Operation:
    asked = {one["name"] for one in operation.get("parameters", [])}
    asked |= set(_PARAMETER.findall(path))
    asked |= set(_fields(document, operation.get("requestBody", {})))
    answers = [one for code, one in operation["responses"].items() if code.startswith("2")]
    return Operation(
        route=f"{verb.upper()} {path}",
        operation_id=operation["operationId"],
        parameters=frozenset(_argument(name) for name in asked),
        fields=frozenset(name for one in answers for name in _fields(document, one)),
    )


def _argument(name: str) -> str:
    """Return what the client calls a parameter: `metadata` for `metadata_`, `agent_id` for agentId."""
    return _HUMP.sub(r"_\1", name).lower().replace("-", "_").rstrip("_")


def _fields(document: Json, body: Json) -> Iterator[str]:
    for content in body.get("content", {}).values():
        yield from _properties(document, content.get("schema", {}))


def _properties(document: Json, schema: Any) -> Iterator[str]:
    """Yield the names that an object, each choice or each item of a list has."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = document["components"]["schemas"][name]
    properties = schema.get("properties", {})
    yield from properties
    if _PAGE_ENDS in properties:
        for one in properties.values():
            yield from _properties(document, one)
    for choice in _CHOICES:
        for one in schema.get(choice, []):
            yield from _properties(document, one)
    if "items" in schema:
        yield from _properties(document, schema["items"])
