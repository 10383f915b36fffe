"""What models are told of a tool, read from its source."""

import keyword
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.json_schema import fits
from eunoe.errors import ToolSchemaInvalid
from eunoe.llm.google_schema import google_schema
from eunoe.llm.strict_schema import strict_schema
from eunoe.tools.schema.derive import checked, derived, described
from tests.tools.sources import BAD, GOOD, Bad, Good

_STRICT = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "$ref",
    "$defs", "description", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "pattern", "minItems", "maxItems",
}  # fmt: skip
"""The words that a provider which enforces schemas knows."""


@pytest.mark.rule("X18", "api-13.2")
@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_an_argument_is_told_by_its_type(case: Good) -> None:
    schema = derived(case.source)
    assert (schema.name, schema.description) == ("tool", "Do it.")
    whole = schema.parameters
    jsonschema_rs.Draft202012Validator(whole)
    assert whole["properties"] == {"a": {"description": "A."} | case.schema}
    assert whole["required"] == ([] if case.optional else ["a"])


@pytest.mark.rule("X18")
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_source_that_tells_too_little_says_what_to_write(case: Bad) -> None:
    with pytest.raises(case.error) as refused:
        derived(case.source)
    assert case.says in str(refused.value)


@pytest.mark.rule("FIX-73", "api-13.2")
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('async def look():\n    """Look."""', "look"),
        ('def one():\n    """1."""\ndef two():\n    """2."""', "two"),
        ('def two():\n    """2."""\n    def inner():\n        """No."""', "two"),
        ('def two():\n    """2."""\ndef _help(x):\n    pass', "two"),
        ('def two():\n    """2."""\nclass A:\n    def f(self):\n        """No."""', "two"),
        ('@wrapped(1)\ndef two():\n    """2."""\nprint(two())', "two"),
        ('def _only():\n    """1."""', "_only"),
    ],
)
def test_the_last_function_at_the_top_is_the_tool(source: str, name: str) -> None:
    assert derived(source).name == name


@pytest.mark.rule("X27", "FIX-56", "api-13.2")
def test_what_the_server_fills_in_is_not_asked_for() -> None:
    source = (
        "def tool(self, agent_state: AgentState, client: str, agent_id: str, *, n: int = 1):\n"
        '    """Do.\n\n    Args:\n        client: Whom.\n        n: N.\n    """\n'
    )
    assert derived(source).parameters == {
        "type": "object",
        "properties": {
            "client": {"type": "string", "description": "Whom."},
            "n": {"type": "integer", "description": "N.", "default": 1},
        },
        "required": ["client"],
    }


_DOCS = {
    "google": """Look it up.

    It is slow.

    Args:
        q (str): What to look for,
            in words.
        n: How many: at most.

    Returns:
        str: It.

    Example:
        look("tea")
    """,
    "numpy": """Look it up.

    It is slow.

    Parameters
    ----------
    q : str
        What to look for,
        in words.
    n : int, optional
        How many: at most.

    Returns
    -------
    str

    Examples
    --------
    look("tea")
    """,
    "rest": """Look it up.

    It is slow.

    :param q: What to look for,
        in words.
    :param int n: How many: at most.
    :returns: It.
    """,
}


@pytest.mark.rule("X18")
@pytest.mark.parametrize("form", _DOCS)
def test_docstrings_are_read_in_three_forms(form: str) -> None:
    schema = derived(f'def look(q: str, n: int = 3):\n    """{_DOCS[form]}"""')
    example = "" if form == "rest" else '\n\nExamples:\nlook("tea")'
    assert schema.description == f"Look it up.\n\nIt is slow.{example}"
    told = {name: one["description"] for name, one in schema.parameters["properties"].items()}
    assert told == {"q": "What to look for,\nin words.", "n": "How many: at most."}


@pytest.mark.rule("X18")
def test_a_docstring_of_arguments_alone_describes_nothing() -> None:
    schema = derived('def tool(a: int):\n    """\n    Args:\n        a: A.\n    """')
    assert schema.description == "No description available"


@pytest.mark.rule("X16", "api-13.2")
def test_given_arguments_take_the_place_of_the_signature() -> None:
    given_schema = {"properties": {"a": {"type": "string"}}, "title": "ToolArgs"}
    told = described(
        'def tool(*args):\n    """Do it.\n\n    Args:\n        a: A.\n    """', given_schema
    )
    assert (told.name, told.description) == ("tool", "Do it.")
    assert told.parameters == {"type": "object", "required": [], **given_schema}
    assert "tool" in described("def tool(a): ...", given_schema).description


@pytest.mark.rule("X16")
@pytest.mark.parametrize(
    "parameters", [[], {"type": "string"}, {"properties": []}, {"required": "a"}]
)
def test_a_schema_of_no_arguments_is_refused(parameters: object) -> None:
    with pytest.raises(ToolSchemaInvalid):
        checked(parameters)


@pytest.mark.rule("X53", "P30")
@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_every_provider_is_shown_what_it_can_read(case: Good) -> None:
    """Strict where it can be said strictly, and for Google without what Google refuses."""
    parameters = derived(case.source).parameters
    strict = strict_schema(parameters)
    if strict is not None:
        jsonschema_rs.Draft202012Validator(strict)
        assert _words(strict) <= _STRICT
        assert all({"type", "enum", "anyOf", "$ref"} & one.keys() for one in _schemas(strict))
        assert all(one.keys() == {"$ref"} for one in _schemas(strict) if "$ref" in one)
    else:
        assert _words(parameters) & {"prefixItems", "additionalProperties"} or any(
            {"type", "enum", "anyOf", "$ref"}.isdisjoint(one) or one.get("type") == "object"
            for one in _schemas(parameters)
        )
    google = google_schema(parameters)
    jsonschema_rs.Draft202012Validator(google)
    assert {"$ref", "$defs", "default", "additionalProperties"}.isdisjoint(_words(google))


def _schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [*schema.get("anyOf", []), *schema.get("prefixItems", [])]
    inner += [schema["items"]] if "items" in schema else []
    return [schema, *(deeper for one in inner for deeper in _schemas(one))]


def _words(schema: dict[str, Any]) -> set[str]:
    return {word for one in _schemas(schema) for word in one}


# An annotation, a value of that type, and one that is of none.
_NUMBERS = st.integers(-(2**31), 2**31)
_SIMPLE = st.sampled_from(
    [
        ("str", st.text(max_size=5), 1),
        ("int", _NUMBERS, "x"),
        ("float", st.floats(allow_nan=False, allow_infinity=False), "x"),
        ("bool", st.booleans(), "x"),
        ("Literal['a', 'b']", st.sampled_from("ab"), "c"),
    ]
)
_TYPES = st.recursive(
    _SIMPLE,
    lambda inner: st.one_of(
        inner.map(lambda t: (f"list[{t[0]}]", st.lists(t[1], max_size=3), [t[2]])),
        inner.map(
            lambda t: (f"tuple[{t[0]}, int]", st.tuples(t[1], _NUMBERS).map(list), [t[2], 1])
        ),
        inner.map(
            lambda t: (
                f"dict[str, {t[0]}]",
                st.dictionaries(st.text(max_size=3), t[1], max_size=3),
                {"k": t[2]},
            )
        ),
    ),
    max_leaves=4,
)
_NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and name not in {"self", "cls"}
)


@pytest.mark.rule("X18")
@given(st.data(), st.dictionaries(_NAMES, _TYPES, min_size=1, max_size=4))
def test_a_schema_takes_just_the_arguments_of_its_function(
    data: st.DataObject, typed: dict[str, tuple[str, st.SearchStrategy[Any], Any]]
) -> None:
    optional = data.draw(st.sets(st.sampled_from(sorted(typed))))
    signature = ", ".join(
        f"{name}: {kind}{' | None' if name in optional else ''}"
        for name, (kind, _, _) in typed.items()
    )
    lines = "".join(f"        {name}: What {name} is.\n" for name in typed)
    schema = derived(f'def tool({signature}):\n    """Do.\n\n    Args:\n{lines}    """').parameters
    valid = jsonschema_rs.Draft202012Validator(schema)

    def accepts(arguments: dict[str, Any]) -> bool:
        assert valid.is_valid(arguments) == fits(arguments, schema)
        return valid.is_valid(arguments)

    arguments = {name: data.draw(values) for name, (_, values, _) in typed.items()}
    assert accepts(arguments)
    for name, (_, _, wrong) in typed.items():
        assert not accepts(arguments | {name: wrong})
        without = {key: value for key, value in arguments.items() if key != name}
        assert accepts(without) == (name in optional)
