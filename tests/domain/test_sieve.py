"""Arguments taken apart while they come in: the same pieces, however they are cut (G-19)."""

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.sieve import Sieve, value_of
from eunoe.domain.wellformed import well_formed

# Any code point, lone surrogates among them: JSON can write those, and models do.
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
keys = st.one_of(
    st.sampled_from(["message", "thinking", "request_heartbeat"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
blanks = st.text(" \t\n\r", max_size=3)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """Write a JSON value with any blanks and any mix of escapes."""
    if isinstance(value, str):
        return draw(_written_text(value))
    if isinstance(value, list):
        items = cast("list[Any]", value)
        inner = [draw(written(item)) for item in items]
        return f"[{','.join(draw(blanks) + one + draw(blanks) for one in inner)}]"
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        rows = [
            f"{draw(blanks)}{draw(written(key))}{draw(blanks)}:{draw(blanks)}{draw(written(item))}{draw(blanks)}"
            for key, item in pairs.items()
        ]
        return f"{{{','.join(rows) or draw(blanks)}}}"
    return json.dumps(value)


@st.composite
def _written_text(draw: st.DrawFn, text: str) -> str:
    ascii_only = draw(st.booleans())
    body = json.dumps(text, ensure_ascii=True)
    if not ascii_only:
        body = json.dumps(text, ensure_ascii=False)
        # A lone surrogate cannot travel but as an escape.
        body = "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in body)
    return body.replace("/", "\\/") if draw(st.booleans()) else body


@st.composite
def arguments(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    value = draw(st.dictionaries(keys, values, max_size=5))
    return value, draw(blanks) + draw(written(value)) + draw(blanks)


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    if draw(st.booleans()):
        return list(text)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def taken(
    fragments: Sequence[str], *, watched: set[str], removed: set[str]
) -> tuple[str, dict[str, str]]:
    sieve = Sieve(watched=watched, removed=removed)
    pieces = [piece for fragment in fragments for piece in sieve.feed(fragment)]
    pieces += sieve.finish()
    left = "".join(piece.text for piece in pieces if piece.key is None)
    found: dict[str, str] = {}
    for piece in pieces:
        if piece.key is not None:
            found[piece.key] = found.get(piece.key, "") + piece.text
    return left, found


def meant(value: object) -> object:
    """Return a value as it can be stored and sent: pairs joined, lone surrogates gone."""
    if isinstance(value, str):
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return well_formed(joined)
    return value


@pytest.mark.rule("G-19", "streaming-2.10")
@given(data=st.data())
def test_however_it_is_cut_the_deltas_are_the_decoded_value(data: st.DataObject) -> None:
    value, text = data.draw(arguments())
    key = data.draw(st.sampled_from(["message", *value]))
    _, found = taken(data.draw(cut(text)), watched={key}, removed=set())
    if key not in value:
        assert found == {}
    elif isinstance(value[key], str):
        assert found.get(key, "") == meant(value[key])
        assert value_of(text, key) == found.get(key, "")
    elif isinstance(value[key], dict | list | int) and not isinstance(value[key], bool):
        assert json.loads(found[key]) == value[key]
        assert value_of(text, key) == found[key]
    else:
        assert json.loads(found[key]) == value[key]
        assert value_of(text, key) == ""


@pytest.mark.rule("G-19", "streaming-2.9", "streaming-2.10")
@given(data=st.data())
def test_what_is_left_lacks_the_removed_pairs_and_nothing_else(data: st.DataObject) -> None:
    value, text = data.draw(arguments())
    removed = data.draw(st.sets(st.sampled_from(["thinking", "request_heartbeat", *value])))
    left, _ = taken(data.draw(cut(text)), watched=set(), removed=removed)
    whole, _ = taken([text], watched=set(), removed=removed)
    assert left == whole
    assert json.loads(left) == {key: one for key, one in value.items() if key not in removed}
    if not removed & value.keys():
        assert left == text


@pytest.mark.rule("G-19", "streaming-2.10")
@given(text=st.text('{}[]",:\\u12d8 abte', max_size=30), data=st.data())
def test_what_is_no_json_comes_out_as_it_went_in(text: str, data: st.DataObject) -> None:
    fragments = data.draw(cut(text))
    assert taken(fragments, watched={"a"}, removed=set())[0] == text
    cut_up = taken(fragments, watched={"a"}, removed={"b"})
    assert cut_up == taken([text], watched={"a"}, removed={"b"})


@pytest.mark.rule("G-19")
@given(text=texts)
def test_nothing_is_held_but_what_may_still_change(text: str) -> None:
    """After each character all code points are out that are complete by then."""
    sieve = Sieve(watched={"m"})
    sieve.feed('{"m": "')
    out = ""
    body = json.dumps(text)[1:-1]
    for place, char in enumerate(body, 1):
        out += "".join(piece.text for piece in sieve.feed(char) if piece.key)
        try:
            so_far = json.loads(f'"{body[:place]}"')
        except ValueError:
            continue
        if not "\ud800" <= so_far[-1:] <= "\udbff":
            assert out == meant(so_far)


@pytest.mark.rule("G-19", "streaming-2.10")
@pytest.mark.parametrize(
    ("text", "left", "thought"),
    [
        ('{"thinking": "a", "x": 1}', '{ "x": 1}', "a"),
        ('{"x": 1, "thinking": "a"}', '{"x": 1}', "a"),
        ('{"x": 1, "thinking": "a" , "y": 2}', '{"x": 1 , "y": 2}', "a"),
        ('{"thinking": "a"}', "{}", "a"),
        ('{"x": {"thinking": "b"}, "thinking": "a"}', '{"x": {"thinking": "b"}}', "a"),
        ('{"thinking": "a", "thinking": "b"}', "{}", "a"),
        ('{"think\\u0069ng": "a"}', "{}", "a"),
        ('{"thinking": null}', "{}", "null"),
        ('{"thinking": "a', "{", "a"),
        ('{"thinking": "a" oops', "{ oops", "a"),
        ("no object", "no object", ""),
        ('{"x', '{"x', ""),
        ("", "", ""),
    ],
)
def test_the_pairs_of_removed_keys_go_with_their_commas(text: str, left: str, thought: str) -> None:
    got, found = taken([text], watched={"thinking"}, removed={"thinking"})
    assert (got, found.get("thinking", "")) == (left, thought)
