"""Tool schemas reduced to what a grammar can express."""

from typing import cast

from eunoe.llm.local_schema import Schema, reduced, signature


def test_references_are_put_in_their_place_and_annotations_dropped() -> None:
    schema: Schema = {
        "type": "object",
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}}},
        "properties": {
            "at": {"$ref": "#/$defs/Point", "description": "Where."},
            "when": {"type": "string", "format": "date-time", "pattern": "^2"},
            "or": {"oneOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["at"],
    }
    assert reduced(schema) == {
        "type": "object",
        "properties": {
            "at": {
                "type": "object",
                "properties": {"x": {"type": "number"}},
                "additionalProperties": False,
            },
            "when": {"type": "string"},
            "or": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["at"],
        "additionalProperties": False,
    }


def test_a_schema_that_contains_itself_ends() -> None:
    node: Schema = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "string"}},
    }
    schema: Schema = {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}
    found, depth = reduced(schema), 0
    while found:
        properties = cast("dict[str, Schema]", found["properties"])
        found, depth = properties["next"], depth + 1
    assert 3 <= depth <= 12


def test_a_signature_names_what_may_be_left_out_and_what_is_allowed() -> None:
    schema: Schema = {
        "properties": {
            "label": {"enum": ["human", "persona"]},
            "roles": {"type": "array", "items": {"type": "string"}},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "rest": {},
        },
        "required": ["label"],
    }
    assert signature(schema) == (
        "label: human|persona, roles?: string[], limit?: integer|null, rest?: any"
    )
