"""What models are told of a tool in TypeScript, read from its source."""

from typing import Any

import jsonschema_rs
import pytest

from eunoe.errors import (
    EunoeError,
    ToolArgumentUnclear,
    ToolDocstringMissing,
    ToolFunctionMissing,
    ToolSourceInvalid,
    ToolTypeUnsupported,
)
from eunoe.tools.schema.typescript import derived_typescript

TEXT: Any = {"type": "string"}
NUMBER: Any = {"type": "number"}
NULL: Any = {"type": "null"}
DECLARED = """
/** A place. */
interface Place {
  /** What it is called. */
  name: string;
  tags?: readonly string[]; // for search
  "at": [lat: number, number];
}
interface City extends Place { people: number | undefined }
type Kind = "city" | 'town' | 3 | -1;
enum Size { Small = "s", Large = "l" }
enum Level { Low, Mid = 5, High }
type Tree = { value: string, left?: Tree };
type Maybe = string | undefined;
type Pair<T> = [T, T];
type Loop = Loop;
"""
PLACE: Any = {
    "type": "object",
    "properties": {
        "name": TEXT | {"description": "What it is called."},
        "tags": {"type": "array", "items": TEXT},
        "at": {"type": "array", "prefixItems": [NUMBER, NUMBER], "minItems": 2, "maxItems": 2},
    },
    "required": ["name", "at"],
}


def source(argument: str) -> str:
    return f"{DECLARED}/**\n * Do it.\n * @param a - A.\n */\nexport function tool({argument}) {{}}"


@pytest.mark.rule("X17", "X18")
@pytest.mark.parametrize(
    ("argument", "schema"),
    [
        ("a: string", TEXT),
        ("a: number", NUMBER),
        ("a: boolean", {"type": "boolean"}),
        ("a: unknown", {}),
        ("a: string[][]", {"type": "array", "items": {"type": "array", "items": TEXT}}),
        ("a: ReadonlyArray<(string | null)>", {"type": "array", "items": {"anyOf": [TEXT, NULL]}}),
        ("a: Kind", {"enum": ["city", "town", 3, -1]}),
        ("a: 'x' | 'y\\n' | null", {"anyOf": [TEXT | {"enum": ["x", "y\n"]}, NULL]}),
        ("a: true", {"type": "boolean", "enum": [True]}),
        ("a: Size", TEXT | {"enum": ["s", "l"]}),
        ("a: Level", {"type": "integer", "enum": [0, 5, 6]}),
        ("a: Record<string, number>", {"type": "object", "additionalProperties": NUMBER}),
        ("a: Record<'x' | 'y', string>", {"type": "object", "properties": {"x": TEXT, "y": TEXT}, "required": ["x", "y"]}),
        ("a: { [key: string]: unknown }", {"type": "object", "properties": {}, "required": [], "additionalProperties": True}),
        ("a: Place", PLACE),
        ("a: City", PLACE | {"properties": PLACE["properties"] | {"people": NUMBER}}),
        ("a: { b: { c?: string } } & { d: 1 }", {"type": "object", "properties": {"b": {"type": "object", "properties": {"c": TEXT}, "required": []}, "d": {"type": "integer", "enum": [1]}}, "required": ["b", "d"]}),
        ("a: Tree", {"$ref": "#/$defs/Tree"}),
    ],
)  # fmt: skip
def test_an_argument_is_told_by_its_type(argument: str, schema: Any) -> None:
    told = derived_typescript(source(argument))
    jsonschema_rs.Draft202012Validator(told.parameters)
    assert (told.name, told.description) == ("tool", "Do it.")
    assert told.parameters["properties"] == {"a": schema | {"description": "A."}}
    assert told.parameters["required"] == ["a"]


@pytest.mark.rule("X18")
@pytest.mark.parametrize(
    ("argument", "schema"),
    [
        ("a?: string", TEXT),
        ("a: Maybe", TEXT),
        ("a = 1.5", NUMBER | {"default": 1.5}),
        ("a = 'x'", TEXT | {"default": "x"}),
        ("a: boolean = true", {"type": "boolean", "default": True}),
        ("a: Size = Size.Small", TEXT | {"enum": ["s", "l"]}),
    ],
)
def test_an_argument_may_be_left_out(argument: str, schema: Any) -> None:
    told = derived_typescript(source(argument)).parameters
    assert told["properties"] == {"a": schema | {"description": "A."}}
    assert told["required"] == []


@pytest.mark.rule("X17", "X36")
@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/** 1. */ export async function* no() {} /** 2. */ export async function yes() {}", "yes"),
        ("/** 1. */\nexport const yes = async () => 1;\nfunction help() {}", "yes"),
        ("/** 1. */ // eslint\nfunction inner() {}\nexport { inner as yes };", "yes"),
        ("/** 1. */\nfunction yes() {}\nexport default yes;", "yes"),
        ("/** 1. */ export default function yes(this: Date) {}", "yes"),
        ("/** 1. */ export const yes = function () {}, other = 2;", "yes"),
    ],
)  # fmt: skip
def test_the_last_exported_function_is_thesource(written: str, name: str) -> None:
    assert derived_typescript(written).name == name


@pytest.mark.rule("X16", "X17")
def test_one_of_several_is_named_and_arguments_may_be_given() -> None:
    written = "/** 1. */ export function one() {}\nexport function two(a) {}"
    assert derived_typescript(written, name="one").name == "one"
    given: Any = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
    told = derived_typescript(written, arguments=given)
    assert (told.name, told.parameters) == ("two", given)
    assert "two" in told.description


@pytest.mark.rule("X17", "X18")
@pytest.mark.parametrize(
    ("written", "error", "says"),
    [
        ("export function tool(a: string {", ToolSourceInvalid, "line 1"),
        ("\n\nexport const = 1;", ToolSourceInvalid, "line 3"),
        ("x" * 200_001, ToolSourceInvalid, "longer"),
        ("/** 1. */ function tool() {}", ToolFunctionMissing, "export function"),
        ("/** 1. */ export default () => 1;", ToolFunctionMissing, "export function"),
        ("export function tool() {}", ToolDocstringMissing, "/** … */"),
        ("/** 1. */ export function tool(a: string) {}", ToolArgumentUnclear, "@param a"),
        (source("a"), ToolArgumentUnclear, "`a: string`"),
        (source("{ a }: Place"), ToolArgumentUnclear, "has no name"),
        (source("...a: string[]"), ToolArgumentUnclear, "without `...`"),
        (source("a = 1, b: string").replace("@param a", "@param b B.\n * @param a"), ToolArgumentUnclear, "`b` must be given"),
        (source("a: Date"), ToolTypeUnsupported, "`Date`"),
        (source("a: bigint"), ToolTypeUnsupported, "`bigint`"),
        (source("a: () => void"), ToolTypeUnsupported, "json_schema"),
        (source("a: { run(): void }"), ToolTypeUnsupported, "run()"),
        (source("a: Pair<string>"), ToolTypeUnsupported, "Pair<string>"),
        (source("a: Loop"), ToolTypeUnsupported, "`Loop`"),
        (source("a: undefined"), ToolTypeUnsupported, "undefined"),
        (source("a: Record<Place, string>"), ToolTypeUnsupported, "Record<Place, string>"),
        (source("a: keyof Place"), ToolTypeUnsupported, "keyof Place"),
        (source("a: " + "[" * 3_000 + "string" + "]" * 3_000), ToolTypeUnsupported, ""),
    ],
)  # fmt: skip
def test_a_source_that_tells_too_little_says_what_to_write(
    written: str, error: type[EunoeError], says: str
) -> None:
    with pytest.raises(error) as refused:
        derived_typescript(written)
    assert says in str(refused.value)
