"""The methods of the official Python client, as the installed package has them.

What the client sends and expects is read off its own signatures and sources, so the contract is
not written down a second time and a newer client shows at once what it wants more.
"""

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from letta_client import Letta
from pydantic import BaseModel

_VERBS: Final = {
    "get": "GET",
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}
_OF_THE_CLIENT: Final = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: `name` as it is called, e.g. `agents.blocks.attach`; `path` with its braces.

    `fields` are those of the object, or of each item of the list, that it returns.
    """

    name: str
    verb: str
    path: str
    parameters: frozenset[str]
    fields: frozenset[str]


@functools.cache
def methods() -> tuple[Method, ...]:
    """Return every method that asks the server for something, by name."""
    with Letta(base_url="http://127.0.0.1", api_key="any") as client:
        return tuple(sorted(_of(client, ""), key=lambda one: one.name))


def _of(resource: object, prefix: str) -> Iterator[Method]:
    for name, member in inspect.getmembers_static(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        if isinstance(member, functools.cached_property):
            yield from _of(getattr(resource, name), f"{prefix}{name}.")
        elif isinstance(member, types.FunctionType):
            called = _request(member)
            if called is not None:
                yield _method(f"{prefix}{name}", member, *called)


def _request(method: types.FunctionType) -> tuple[str, str] | None:
    """Return verb and path of the request that the method makes, null where it makes none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            verb = _VERBS.get(node.func.attr)
            if verb and node.args and (path := _path(node.args[0])):
                return verb, path
    return None


def _path(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and node.args:
        return _path(node.args[0])
    if isinstance(node, ast.Constant) and str(node.value).startswith("/v1/"):
        return str(node.value)
    return None


def _method(name: str, method: types.FunctionType, verb: str, path: str) -> Method:
    parameters = inspect.signature(method).parameters.keys() - _OF_THE_CLIENT
    returned = typing.get_type_hints(method).get("return")
    return Method(
        name=name,
        verb=verb,
        path=path,
        parameters=frozenset(parameters),
        fields=frozenset(_fields(returned)),
    )


def _fields(annotation: Any) -> Iterator[str]:
    """Yield the names on the wire of a model's fields, of the items of a page, of each choice."""
    generic: dict[str, Any] = getattr(annotation, "__pydantic_generic_metadata__", {})
    inner = generic.get("args") or typing.get_args(annotation)
    if inner:
        for one in inner:
            yield from _fields(one)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield field.alias or name
