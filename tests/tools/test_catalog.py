"""The toolbox of one agent: what it offers, runs, refuses and cuts."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.base_tools import base_tool_names
from eunoe.domain.edits import BLOCK_TOOLS, BlockEdit, PassageInsert
from eunoe.domain.messages import Text
from eunoe.domain.recall import QueryVector
from eunoe.domain.tools import ToolResult
from eunoe.engine.ports import ToolTraits
from eunoe.errors import ToolArgumentsInvalid
from eunoe.tools.catalog import AgentToolbox, builtin_tools
from eunoe.tools.recall import vector_of
from tests.tools.boxes import AGENT, AT, Memory, Silent, box, call, custom, give, result

pytestmark = pytest.mark.anyio


@pytest.mark.rule("M12", "X8")
def test_the_built_in_tools_are_described() -> None:
    tools = {tool.name: tool for tool in builtin_tools()}
    assert set(base_tool_names("letta_v1_agent")) <= tools.keys()
    assert set(base_tool_names("memgpt_agent")) <= tools.keys()
    assert set(base_tool_names("sleeptime_agent")) <= tools.keys()
    assert set(base_tool_names("voice_convo_agent")) <= tools.keys()
    assert {name for name, tool in tools.items() if tool.parallel} == {
        "run_code",
        "conversation_search",
        "archival_memory_search",
        "search_memory",
        "grep_files",
        "semantic_search_files",
        "fetch_webpage",
        "web_search",
    }
    for tool in tools.values():
        properties = tool.parameters["properties"]
        assert set(tool.parameters["required"]) <= properties.keys()
        assert all(
            one["type"] in {"string", "integer", "array", "boolean"} for one in properties.values()
        )
        assert all(one["description"] for one in properties.values())
        assert "request_heartbeat" not in properties
    assert tools["memory_insert"].parameters["required"] == ["label", "new_string"]
    assert len({tool.id for tool in builtin_tools()}) == len(tools)


@pytest.mark.rule("G-17")
def test_what_acts_on_the_world_is_effectful() -> None:
    careful = custom(give, name="careful")
    careful = replace(careful, tool=replace(careful.tool, idempotent=True, parallel=True))
    imposter = custom(give, name="memory_insert")
    toolbox = box(custom(give), careful)
    writing = toolbox.traits("send_message_to_agent_async")
    assert (writing.effectful, writing.tool_type) == (True, "letta_multi_agent_core")
    assert toolbox.traits("act").effectful
    assert toolbox.traits("careful") == ToolTraits(
        parallel=True, effectful=False, tool_type="custom", tool_id=careful.tool.id
    )
    assert not toolbox.traits("memory_insert").effectful
    assert toolbox.traits("memory_insert").immediate
    assert not toolbox.traits("conversation_search").immediate
    assert toolbox.traits("conversation_search").parallel
    assert not toolbox.traits("nowhere").effectful
    assert box(imposter).traits("memory_insert").effectful
    assert not box(imposter).traits("memory_insert").immediate


async def test_block_toolsgive_edits() -> None:
    """The journal applies them; nothing has changed yet."""
    for name in BLOCK_TOOLS:
        required = next(t for t in builtin_tools() if t.name == name).parameters["required"]
        arguments = dict.fromkeys(required, "x")
        assert await call(box(), name, **arguments) == BlockEdit(tool=name, arguments=arguments)


@pytest.mark.rule("X3", "X4")
async def test_a_missing_argument_is_named() -> None:
    failed = await result(box(), "memory_replace", label="human", old_string="x", new_string=None)
    assert not failed.ok
    assert failed.output == "`memory_replace` needs the argument `new_string`, and it is missing."
    assert failed.stderr == (
        f"Error executing function memory_replace: ToolArgumentsInvalid: {failed.output}",
    )


@pytest.mark.rule("X53", "X28")
async def test_a_null_that_may_not_be_is_an_argument_left_out() -> None:
    async def names(arguments: dict[str, object]) -> object:
        return f"{sorted(arguments)} {arguments['inner']}"

    some = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    properties = {
        "needed": {"type": "integer"},
        "left": {"type": "integer", "default": 5},
        "chosen": {"type": "string", "enum": ["a"]},
        "some": some,
        "any": {},
        "either": {"type": ["string", "null"]},
        "inner": {
            "type": "array",
            "items": {"type": "object", "properties": {"left": {"type": "integer"}, "some": some}},
        },
    }
    schema = {"type": "object", "properties": properties, "required": ["needed"]}
    act = custom(names)
    act = replace(act, tool=replace(act.tool, parameters=schema))
    nulls = dict.fromkeys([*properties, "unknown"])
    said = await result(box(act), "act", **nulls | {"inner": [{"left": None, "some": None}]})
    kept = "['any', 'either', 'inner', 'needed', 'some', 'unknown']"
    assert said.output == f"{kept} [{{'some': None}}]"


@pytest.mark.rule("X3", "X4")
async def test_a_failing_function_is_a_friendly_result() -> None:
    async def fail(arguments: dict[str, object]) -> object:
        raise ValueError("x" * 5_000)

    failed = await result(box(custom(fail)), "act")
    assert not failed.ok
    assert isinstance(failed.output, str)
    assert failed.output.startswith("Error executing function act: ValueError: xxx")
    assert len(failed.output) == 1_000
    assert "Traceback" in failed.stderr[0]

    async def refuse(arguments: dict[str, object]) -> object:
        raise ToolArgumentsInvalid("No.")

    refused = await result(box(custom(refuse)), "act")
    told = "Error executing function act: ToolArgumentsInvalid: No."
    assert (refused.output, refused.stderr) == (told, (told,))


async def test_cancellation_is_not_a_result() -> None:
    entered = asyncio.Event()

    async def wait(arguments: dict[str, object]) -> object:
        entered.set()
        return await asyncio.Event().wait()

    task = asyncio.create_task(call(box(custom(wait)), "act"))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.rule("X9")
async def test_a_name_without_an_executor_is_not_found() -> None:
    orphan = custom(give, name="orphan").tool
    toolbox = AgentToolbox(agent=AGENT, tools={orphan.name: orphan}, recall=Memory())
    for name in ("orphan", "nowhere"):
        failed = await result(toolbox, name)
        assert not failed.ok
        assert str(failed.output).startswith("Tool not found")


@pytest.mark.rule("X1")
async def test_a_custom_tool_named_like_a_built_in_runs_itself() -> None:
    assert (await result(box(custom(give, name="memory")), "memory", value="mine")).output == "mine"


@pytest.mark.rule("X10", "X12")
@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        (True, "True"),
        ({"a": [1, None], "ö": "\ud800x"}, {"a": [1, None], "ö": "x"}),
        ({"at": AT}, str({"at": AT})),
        ("nul\x00, lone \ud800", "nul, lone "),
        ("x" * 60_000, "x" * 50_000 + "... [the output was truncated: 60000 > 50000 characters]"),
    ],
)
async def test_any_value_is_a_result(value: object, output: object) -> None:
    given = await result(box(custom(give)), "act", value=value)
    assert given.ok
    assert given.output == output
    assert given.duration_ns > 0


@pytest.mark.rule("X11", "X12")
async def test_an_object_past_the_limit_is_cut_as_text() -> None:
    function = custom(give)
    short = replace(function, tool=replace(function.tool, return_char_limit=10))
    given = await result(box(short), "act", value={"key": "long enough"})
    assert given.output == '{"key": "l... [the output was truncated: 22 > 10 characters]'


async def test_a_function_maygive_a_whole_result() -> None:
    plain = ToolResult(
        ok=False, output="no", stdout=("out",), stderr=("err",), parts=(Text(text="a"),)
    )
    said = replace(plain, stdout=("out\x00",), stderr=("\ud800err",), parts=(Text(text="\x00a"),))
    given = await result(box(custom(give)), "act", value=said)
    assert replace(given, duration_ns=0) == plain


async def test_send_message_says_what_the_call_says() -> None:
    assert (await result(box(), "send_message", message="Hi")).output == "None"
    assert not (await result(box(), "send_message")).ok


@pytest.mark.rule("M21")
async def test_an_insert_carries_its_vector() -> None:
    memory = Memory(vector=QueryVector(embedder="local/e", values=(3.0, 1.0)))
    outcome = await call(
        box(memory=memory), "archival_memory_insert", content="tea", tags=["b", "a", "b"]
    )
    assert outcome == PassageInsert(
        text="tea", tags=("b", "a"), vector=(3.0, 1.0), embedder="local/e"
    )


async def test_an_insert_does_not_need_a_vector() -> None:
    outcome = await call(box(), "archival_memory_insert", content="tea", tags="a")
    assert outcome == PassageInsert(text="tea", tags=("a",))


async def test_a_model_that_does_not_answer_is_left() -> None:
    assert await vector_of("tea", embedder=Silent(), purpose="search", timeout_s=0.01) is None


async def test_nothing_is_not_kept() -> None:
    assert not (await result(box(), "archival_memory_insert", content="  ")).ok
