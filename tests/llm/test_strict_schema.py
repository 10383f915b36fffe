"""Schemas made strict (X53)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.llm.strict_schema import strict_schema

pytestmark = pytest.mark.rule("X53")


def test_every_level_is_closed_and_optional_values_may_be_null() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "x"},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "d"},
            "place": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
            "rows": {
                "type": "array",
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
        },
        "required": ["name", "rows"],
    }
    assert strict_schema(schema) == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "either": {
                "description": "d",
                "anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}],
            },
            "place": {
                "type": ["object", "null"],
                "properties": {"x": {"type": "number"}},
                "required": ["x"],
                "additionalProperties": False,
            },
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": ["string", "null"]}},
                    "required": ["k"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["name", "kind", "either", "place", "rows"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": True, "properties": {}},
        {"type": "object", "properties": {"any": {"type": "object"}}},
        {
            "type": "object",
            "properties": {"map": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
        {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}},
        {"type": "object", "properties": {"any": {"description": "Whatever."}}},
        {"type": "object", "properties": {"pair": {"type": "array", "prefixItems": []}}},
        {"type": "object", "properties": {"all": {"allOf": [{"type": "string"}]}}},
        {"type": "object", "properties": {"no": {"type": "string", "not": {"enum": ["a"]}}}},
    ],
)
def test_a_free_form_object_cannot_be_strict(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


def test_a_reference_stands_alone() -> None:
    point = {"type": "object", "properties": {"x": {"type": "string", "minLength": 1}}}
    strict = strict_schema(
        {
            "type": "object",
            "$defs": {"Point": point},
            "properties": {"at": {"$ref": "#/$defs/Point", "description": "Where."}},
            "required": ["at"],
        }
    )
    assert strict is not None
    assert strict["properties"] == {"at": {"$ref": "#/$defs/Point"}}
    assert strict["$defs"]["Point"]["properties"] == {"x": {"type": ["string", "null"]}}


def test_what_strict_mode_refuses_is_said_in_another_way() -> None:
    schema = {
        "properties": {
            "to": {"oneOf": [{"type": "string", "format": "uri"}, {"type": "null"}]},
            "at": {"type": "string", "format": "date-time"},
        },
        "required": ["to", "at"],
    }
    strict = strict_schema(schema)
    assert strict is not None
    assert strict["properties"] == {
        "to": {"anyOf": [{"type": "string", "description": "format=uri"}, {"type": "null"}]},
        "at": {"type": "string", "format": "date-time"},
    }


def test_no_parameters_at_all_can() -> None:
    assert strict_schema({}) == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


_LEAVES = st.sampled_from([{"type": "string"}, {"type": ["integer", "null"]}, {"enum": [1, 2]}])


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)[:1]}


_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner).map(_object)
        | inner.map(lambda item: {"type": "array", "items": item})
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("xyz"), _SCHEMAS).map(_object))
def test_strict_once_is_strict_for_good_and_the_source_is_untouched(schema: dict[str, Any]) -> None:
    before = repr(schema)
    strict = strict_schema(schema)
    assert strict is not None
    assert strict_schema(strict) == strict
    assert repr(schema) == before
