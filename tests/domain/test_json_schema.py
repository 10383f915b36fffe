"""What fits a schema: never more than a whole implementation of JSON Schema lets pass."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.json_schema import fits

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_TYPE = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": _TYPE | st.lists(_TYPE, min_size=1, max_size=2, unique=True),
            "enum": st.lists(_JSON, min_size=1, max_size=3),
            "const": _JSON,
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "minimum": st.integers(-5, 5),
            "exclusiveMaximum": st.integers(-5, 5),
            "multipleOf": st.integers(1, 3),
            "maxItems": st.integers(0, 2),
            "minProperties": st.integers(0, 2),
            "description": st.text(max_size=3),
        },
    )


_SCHEMA = st.recursive(st.booleans() | _schemas(st.booleans()), _schemas, max_leaves=5)


@given(_JSON, _SCHEMA)
def test_what_fits_is_what_a_whole_implementation_says(value: object, schema: Any) -> None:
    assert fits(value, schema) == jsonschema_rs.is_valid(schema, value)


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"type": "string", "pattern": "(a+)+$"},
        {"if": {"const": 1}, "then": False},
        {"$ref": "https://elsewhere.example/schema"},
        {"$ref": "#/$defs/missing"},
        {"type": "text"},
        ["string"],
    ],
)
def test_what_a_schema_says_beyond_the_known_words_fits_nothing(schema: object) -> None:
    assert not fits(1, schema)
    assert not fits("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", schema)


def test_a_reference_is_followed_inside_the_schema() -> None:
    point = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    schema = {"$defs": {"point/1": point}, "items": {"$ref": "#/$defs/point~11"}}
    assert fits([{"x": 1}, {"x": 2.5}], schema)
    assert not fits([{"x": "1"}], schema)


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert not fits(1, {"$ref": "#"})
    assert not fits(1, {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]})
