"""Reading the arguments of tool calls, as JSON and as what models write in its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.arguments import call_arguments, read_arguments
from eunoe.errors import ToolArgumentsInvalid

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)
OBJECTS = st.dictionaries(TEXTS, VALUES)


@given(OBJECTS, st.booleans())
def test_strict_json_is_read_as_it_is(value: dict[str, object], ascii_only: bool) -> None:
    assert read_arguments(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.rule("FIX-7")
@given(OBJECTS)
def test_the_tolerant_reader_agrees_with_json(value: dict[str, object]) -> None:
    """A trailing comma sends the text to the tolerant reader, which must find the same."""
    text = json.dumps(value)
    tolerated = text[:-1] + ",}" if value else text
    assert read_arguments(tolerated) == value


@pytest.mark.rule("FIX-7")
@given(st.dictionaries(TEXTS, TEXTS | st.integers(-1000, 1000) | st.booleans() | st.none()))
def test_what_python_prints_is_read(value: dict[str, object]) -> None:
    """Python's own escapes are not JSON's, so that only printable texts are the same in both."""
    if all(text.isprintable() for pair in value.items() for text in pair if isinstance(text, str)):
        assert read_arguments(repr(value)) == value


@given(st.text() | st.text(alphabet="{}[]\"'\\:,tfn01.eE- \n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = read_arguments(text)
    except ToolArgumentsInvalid:
        return
    json.dumps(value, allow_nan=False).encode()


@pytest.mark.rule("FIX-7")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  \n", {}),
        ("null", {}),
        ("{'a': 'it\\'s'}", {"a": "it's"}),
        ("{a: 1, b_2: True, c: None}", {"a": 1, "b_2": True, "c": None}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": "\\d+"}', {"a": "\\d+"}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('{"a": "x"', {"a": "x"}),
        ('{"a": ["x", {"b": "y"}', {"a": ["x", {"b": "y"}]}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": 1}{"a": 1}', {"a": 1}),
        ('{"a": "}{"}', {"a": "}{"}),
        ('{"a": "}{"}{"b": 2}', {"a": "}{"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ("{'a': '\\ud83d\\ude00'}", {"a": "😀"}),
        ('{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
    ],
)
def test_what_models_write(text: str, value: dict[str, object]) -> None:
    assert read_arguments(text) == value


@pytest.mark.rule("FIX-7", "FIX-58")
@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"a": "hel', 6),
        ('{"a": "x", ', 11),
        ('{"a": 12', 8),
        ('{"a" 1}', 5),
        ('{"a": nope}', 6),
        ('{"a": 1} and then', 8),
        ("hello", 0),
        ('{"a": 1e999}', 6),
        ("{" * 200, 1),
    ],
)
def test_a_broken_text_is_refused_with_its_place(text: str, position: int) -> None:
    """What was cut off inside a value is not guessed: half an argument may do harm."""
    with pytest.raises(ToolArgumentsInvalid) as caught:
        read_arguments(text)
    assert caught.value.detail["position"] == position
    assert f"character {position}" in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", "3", "true", '"text"', '"[]"'])
def test_only_an_object_will_do(text: str) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        read_arguments(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(ToolArgumentsInvalid, match="nested"):
        read_arguments('{"a":' * 150 + "1" + "}" * 150)
    with pytest.raises(ToolArgumentsInvalid):
        read_arguments('{"a":' + "[" * 100_000)


@pytest.mark.rule("P10")
def test_lone_surrogates_do_not_travel_on() -> None:
    assert read_arguments('{"a": "x\\ud800y"}') == {"a": "xy"}


@pytest.mark.rule("A13")
def test_what_speaks_to_the_loop_is_taken_out() -> None:
    text = (
        '{"label": "human", "request_heartbeat": true, "thinking": "hm", "deep": {"thinking": 1}}'
    )
    assert call_arguments(text) == {"label": "human", "deep": {"thinking": 1}}
    assert read_arguments(text)["request_heartbeat"] is True
