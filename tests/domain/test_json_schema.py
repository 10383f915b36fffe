"""What fits a schema: never more than a whole implementation of JSON Schema lets pass."""

from typing import Any, cast

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.json_schema import fits, without_nulls
from eunoe.domain.messages import Json

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


_NOTE = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_CIRCLE = {
    "type": "object",
    "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}, "note": _NOTE},
    "required": ["kind"],
}
_SQUARE = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["square"]},
        "side": {"type": "number"},
        "note": {"type": "string"},
        "inside": {"$ref": "#/$defs/shape"},
    },
    "required": ["kind"],
}
_DRAWING = {
    "type": "object",
    "properties": {
        "shapes": {"type": "array", "items": {"$ref": "#/$defs/shape"}},
        "frame": {"$ref": "#/$defs/size"},
        "tone": {"type": ["string", "null"], "enum": ["warm", None]},
        "scale": {"type": "integer"},
        "rest": {},
    },
    "required": ["scale"],
    "$defs": {
        "shape": {"anyOf": [_CIRCLE, _SQUARE]},
        "size": {"type": "object", "properties": {"width": {"type": "integer"}}},
    },
}


@pytest.mark.rule("X53")
@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"frame": {"width": None}}, {"frame": {}}),
        ({"frame": None, "tone": None, "scale": None}, {"tone": None, "scale": None}),
        ({"rest": {"a": None}, "unknown": None}, {"rest": {"a": None}, "unknown": None}),
        ({"shapes": [None, {"kind": None, "side": None}]}, {"shapes": [None, {"kind": None}]}),
        (
            {"shapes": [{"kind": "circle", "radius": None, "note": None}]},
            {"shapes": [{"kind": "circle", "note": None}]},
        ),
        (
            {
                "shapes": [
                    {
                        "kind": "square",
                        "note": None,
                        "inside": {"kind": "square", "side": None, "inside": None},
                    }
                ]
            },
            {"shapes": [{"kind": "square", "inside": {"kind": "square"}}]},
        ),
    ],
)
def test_nulls_that_may_not_be_are_left_out_at_every_depth(given: Json, left: Json) -> None:
    assert without_nulls(given, _DRAWING) == left


@given(st.dictionaries(st.sampled_from(["a", "b"]), _JSON, max_size=2), _SCHEMA)
def test_nothing_but_nulls_is_left_out(value: Json, schema: Any) -> None:
    """Whatever the schema says."""
    left = without_nulls(value, {"type": "object", "properties": {"a": schema}})
    assert _bare(left) == _bare(value)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {name: _bare(it) for name, it in fields.items() if it is not None}
    return [_bare(it) for it in cast("list[Any]", value)] if isinstance(value, list) else value


def test_nulls_in_a_schema_that_refers_to_itself_end() -> None:
    both: Json = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    assert without_nulls({"a": {"a": None}}, both | {"properties": {"a": both}}) == {"a": {}}
