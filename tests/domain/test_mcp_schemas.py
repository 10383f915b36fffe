"""Schemas that foreign servers give their tools."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.json_schema import same
from eunoe.domain.mcp_schemas import fitted

TEXT = {"type": "string"}
CLOSED = {"additionalProperties": False}


def holding(field: object, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": field}, "required": ["a"], **CLOSED, **more}


@pytest.mark.rule("X51", "FIX-62")
@pytest.mark.parametrize(
    ("schema", "health"),
    [
        (holding(TEXT), "STRICT_COMPLIANT"),
        (holding({"anyOf": [TEXT, {"type": "null"}]}), "STRICT_COMPLIANT"),
        (holding({"type": ["string", "null"]}), "STRICT_COMPLIANT"),
        (holding(TEXT, additionalProperties=True), "NON_STRICT_ONLY"),
        ({"type": "object", "properties": {"a": TEXT}}, "NON_STRICT_ONLY"),
        (holding({"type": "object", "properties": {}}), "NON_STRICT_ONLY"),
        (holding({}), "INVALID"),
        (holding({"type": "array"}), "INVALID"),
        (holding({"type": "wish"}), "INVALID"),
        (holding({"type": ["string", "wish"]}), "INVALID"),
        ({"type": "object", "properties": {}, "required": ["a"], **CLOSED}, "INVALID"),
        ({"properties": {}}, "INVALID"),
    ],
)
def test_a_schema_is_as_healthy_as_its_worst_part(schema: dict[str, Any], health: str) -> None:
    found = fitted(schema)
    assert found.health == health
    assert bool(found.reasons) == (health != "STRICT_COMPLIANT")
    assert found.unusable is None
    assert found.parameters["type"] == "object"


@pytest.mark.rule("X50", "FIX-62")
def test_what_can_be_mended_is_mended() -> None:
    bad = {
        "properties": {
            "list": {"type": "array"},
            "kind": {"anyOf": [TEXT, TEXT, {"type": "null"}]},
            "odd": {"type": "wish", "description": "Any"},
            "shape": {"$ref": "#/$defs/Shape"},
            "tree": {"$ref": "#/$defs/Tree"},
        },
        "required": ["list", "gone"],
        "$defs": {
            "Shape": {"type": "string", "enum": ["round"]},
            "Tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Tree"}}},
        },
    }
    mended = fitted(bad).parameters
    fields = mended["properties"]
    assert mended["type"] == "object"
    assert fields["list"] == {"type": "array", "items": TEXT}
    assert fields["kind"] == {"anyOf": [TEXT, {"type": "null"}]}
    assert fields["odd"] == {"description": "Any"}
    assert fields["shape"] == {"type": "string", "enum": ["round"]}
    assert "$ref" not in str(mended)
    assert str(mended).count("child") == 10
    assert fitted({**bad, "type": "object"}).parameters["required"] == ["list"]


@pytest.mark.rule("FIX-62")
@pytest.mark.parametrize(
    "schema",
    [
        None,
        "object",
        {"type": "array", "items": TEXT},
        {"type": "object", "properties": {f"p{n}": TEXT for n in range(9_000)}},
        {"type": "object", "description": "x" * 100_000},
        {
            "type": "object",
            "$ref": "#/$defs/A",
            "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}] * 20}},
        },
    ],
)
def test_what_cannot_be_mended_says_why(schema: object) -> None:
    found = fitted(schema)
    assert found.health == "INVALID"
    assert found.unusable


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["object", "array", "a", "#/a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "required", "$ref", "$defs", "a"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.rule("X50", "FIX-62")
@given(_anything)
def test_no_schema_breaks_it_and_mending_twice_is_mending_once(schema: object) -> None:
    once = fitted(schema)
    if once.unusable is None:
        assert once.parameters["type"] == "object"
        assert same(fitted(once.parameters).parameters, once.parameters)
