"""What of a tool's schema Google is shown."""

import pytest

from eunoe.llm.google_schema import google_schema


@pytest.mark.rule("P30")
def test_what_google_refuses_is_left_out_at_every_level() -> None:
    point = {"type": "object", "properties": {"x": {"type": "number", "format": "float"}}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "$defs": {"Point": point},
        "properties": {
            "at": {"$ref": "#/$defs/Point", "description": "Where."},
            "all": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
            "when": {"type": "string", "format": "date-time", "default": "now"},
            "default": {"anyOf": [{"const": "a"}, {"type": "null"}]},
            "n": {"type": "integer", "exclusiveMinimum": 0, "minimum": 1},
        },
        "required": ["at"],
    }
    plain = {"type": "object", "properties": {"x": {"type": "number"}}}
    assert google_schema(schema) == {
        "type": "object",
        "properties": {
            "at": plain | {"description": "Where."},
            "all": {"type": "array", "items": plain},
            "when": {"type": "string", "format": "date-time"},
            "default": {"anyOf": [{"enum": ["a"]}, {"type": "null"}]},
            "n": {"type": "integer", "minimum": 1},
        },
        "required": ["at"],
    }


def test_a_reference_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert google_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})["type"] == "object"
