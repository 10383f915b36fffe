"""Programs in the sandbox: what they are given, what comes back, and how they end."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from eunoe.domain.messages import Image, Text
from eunoe.tools.sandbox import Sandbox
from tests.tools.programs import LIMITS, program, run, sandboxed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sandbox]:
    async with sandboxed(tmp_path_factory.mktemp("sandbox")) as made:
        yield made


@pytest.mark.rule("X10", "X25")
@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("'text'", "text"),
        ("None", "None"),
        ("7", "7"),
        ("[1, 'a']", "[1, 'a']"),
        ("{'a': [1, None], 2: {3}}", {"a": [1, None], "2": "{3}"}),
        ("object", "<class 'object'>"),
        ("(one for one in (1, {2}))", "[1, '{2}']"),
        ("Place('Rome', Kind.CITY)", {"name": "Rome", "kind": "city"}),
        ("Model(name='Ada')", {"name": "Ada", "at": None}),
        ("[Model(name='Ada')]", "[{'name': 'Ada', 'at': None}]"),
    ],
)
async def test_any_value_is_a_result(sandbox: Sandbox, value: str, output: object) -> None:
    source = f"""
        import dataclasses, enum
        from pydantic import BaseModel

        class Kind(enum.Enum):
            CITY = "city"

        @dataclasses.dataclass
        class Place:
            name: str
            kind: Kind

        class Model(BaseModel):
            name: str
            at: str | None = None

        def act():
            print("a line that is no result")
            return {value}
    """
    ran = await run(sandbox, source)
    assert (ran.ok, ran.output) == (True, output), ran
    assert ran.stdout == ("a line that is no result\n",)


@pytest.mark.rule("X28", "FIX-55", "FIX-56")
@pytest.mark.parametrize(
    ("annotation", "given", "got"),
    [
        ("str", "true", "'true'"),
        ("str", '{"a": 1}', "'{\"a\": 1}'"),
        ("", "[1]", "'[1]'"),
        ("str | None", None, "None"),
        ("int | None", "7", "7"),
        ("bool", "false", "False"),
        ("float", 2, "2.0"),
        ("list[int]", "[1, 2]", "[1, 2]"),
        ("tuple[str, int]", ["a", "2"], "('a', 2)"),
        ("dict[str, Size]", {"a": "large"}, "{'a': <Size.LARGE: 'large'>}"),
        ("list[Point]", [{"x": 1, "y": "2"}], "[Point(x=1, y=2)]"),
        ("Order", {"items": [{"x": 1, "y": 2}]}, "Order(items=[Point(x=1, y=2)])"),
        ("Optional[Order]", None, "None"),
        ("datetime.date", "2024-07-01", "datetime.date(2024, 7, 1)"),
        ("int", "many", "'many'"),
        ("'Unknown'", "7", "'7'"),
        ("str", 5, "'5'"),
        ("Sequence[Point]", [{"x": 1, "y": 2}], "[Point(x=1, y=2)]"),
        ("Mapping[str, Point]", {"a": {"x": 1, "y": 2}}, "{'a': Point(x=1, y=2)}"),
        ("Annotated[Note | None, 'a note']", {"at": {"x": 1, "y": 2}}, "{'at': Point(x=1, y=2)}"),
        ("Count", "7", "7"),
    ],
)
async def test_arguments_come_as_their_types_say(
    sandbox: Sandbox, annotation: str, given: object, got: str
) -> None:
    source = f"""
        import dataclasses, datetime, enum
        from collections.abc import Mapping, Sequence
        from typing import Annotated, NewType, Optional, TypedDict
        from pydantic import BaseModel

        Count = NewType("Count", int)

        class Size(enum.Enum):
            LARGE = "large"

        @dataclasses.dataclass
        class Point:
            x: int
            y: int

        class Order(BaseModel):
            items: list[Point]

        class Note(TypedDict):
            at: Point

        def act(value{": " if annotation else ""}{annotation}):
            return repr(value)
    """
    ran = await run(sandbox, source, value=given)
    assert (ran.ok, ran.output) == (True, got), ran


@pytest.mark.rule("X18")
async def test_an_argument_that_may_be_null_may_be_left_out(sandbox: Sandbox) -> None:
    source = """
        from typing import Annotated, Optional
        def act(a: Optional[int], b: Annotated[int | None, "how many"], c: str = "c"):
            return [a, b, c]
    """
    assert (await run(sandbox, source)).output == "[None, None, 'c']"
    # A model is not asked for what only a method has.
    assert (await run(sandbox, "def act(self, a):\n  return self, a", a=1)).output == "[None, 1]"


@pytest.mark.rule("X24", "X3")
async def test_an_error_is_a_value_with_the_lines_of_the_tool_alone(sandbox: Sandbox) -> None:
    source = """
        def inner(amount):
            return 1 / amount

        def act():
            return inner(0)
    """
    ran = await run(sandbox, source)
    assert not ran.ok
    assert ran.output == "Error executing function act: ZeroDivisionError: division by zero"
    (trace,) = ran.stderr
    assert "return 1 / amount" in trace
    assert trace.count("File ") == 2, trace


@pytest.mark.rule("X24")
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def act(:", "SyntaxError"),
        ("def other(): pass", "NameError: the source defines no function `act`"),
        ("def act(needed): pass", "missing 1 required positional argument"),
        ("def act():\n  import sys; sys.exit(3)", "SystemExit: 3"),
        ("def act():\n  import os; os._exit(7)", "ended without a result, with status 7"),
        ("def act():\n  import ctypes; ctypes.string_at(0)", "signal 11 (Segmentation fault)"),
        ("def act():\n  return 'x' * (9 << 20)", "larger than the 8 MiB of a tool"),
        ("import urllib.request as r\ndef act():\n  r.urlopen('http://a.de')", '{"network": true}'),
        ("import nowhere", "listed in its `pip_requirements`"),
        ("def act():\n  raise RuntimeError('x' * 5000)", "RuntimeError: xxx"),
    ],
)
async def test_whatever_goes_wrong_is_a_value(sandbox: Sandbox, source: str, reason: str) -> None:
    ran = await run(sandbox, source)
    assert not ran.ok
    assert reason in str(ran.output) + "".join(ran.stderr)
    assert len(str(ran.output)) <= 1000


@pytest.mark.rule("X26")
@pytest.mark.parametrize(
    ("named", "loaded"), [("", []), ("async and pydantic", ["asyncio", "pydantic"])]
)
async def test_only_a_source_that_names_more_has_more_loaded(
    sandbox: Sandbox, named: str, loaded: list[str]
) -> None:
    source = f"""
        def act():
            # {named}
            import sys
            return str([name for name in ("a" + "syncio", "pydan" + "tic") if name in sys.modules])
    """
    ran = await run(sandbox, source)
    assert ran.output == str(loaded)


@pytest.mark.rule("X26")
async def test_a_coroutine_is_awaited(sandbox: Sandbox) -> None:
    ran = await run(
        sandbox, "import asyncio\nasync def act(a):\n  await asyncio.sleep(0)\n  return a", a="b"
    )
    assert ran.output == "b"


@pytest.mark.rule("X27")
async def test_a_function_that_asks_is_given_the_agent_and_may_change_its_memory(
    sandbox: Sandbox,
) -> None:
    source = """
        def act(agent_state: "AgentState", agent_id: "Unknown", more: int):
            memory = agent_state.memory
            memory.update_block_value(label="human", value=memory.get_block("human").value + "!")
            return f"{agent_id} {agent_state.name} {memory.list_block_labels()} {client} {more + 1}"
    """
    state: dict[str, object] = {
        "name": "Ada",
        "memory": {"blocks": [{"label": "human", "value": "Bo"}]},
    }
    ran = await sandbox.run(program(source, agent_state=state), arguments={"more": "1"})
    assert ran.output == "agent-1 Ada ['human'] None 2"
    assert ran.agent_state == {
        "name": "Ada",
        "memory": {"blocks": [{"label": "human", "value": "Bo!"}]},
    }
    reader = "def act(agent_state):\n  return agent_state['memory']['blocks'][0]['value']"
    ran = await sandbox.run(program(reader, agent_state=state), arguments={})
    assert (ran.output, ran.agent_state) == ("Bo", None)
    writer = "def act(agent_state):\n  agent_state.blocks[0].value += '?'"
    ran = await sandbox.run(program(writer, agent_state=state), arguments={})
    assert ran.agent_state == {
        "name": "Ada",
        "memory": {"blocks": [{"label": "human", "value": "Bo?"}]},
    }


@pytest.mark.rule("X30", "FIX-54")
async def test_the_environment_is_what_is_declared(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-server")
    source = "import os, warnings\ndef act():\n  warnings.warn('w')\n  return dict(os.environ)"
    ran = await sandbox.run(
        program(source, environment={"A": "agent", "B": "agent"}),
        arguments={},
        variables={"A": "sandbox", "C": "sandbox"},
    )
    assert isinstance(ran.output, dict)
    own = {"A", "B", "C", "LETTA_AGENT_ID"}
    assert {name: ran.output[name] for name in own} == {
        "A": "agent",
        "B": "agent",
        "C": "sandbox",
        "LETTA_AGENT_ID": "agent-1",
    }
    assert {"PYTHONWARNINGS", "NO_COLOR", "TERM", "PYTHONUNBUFFERED"} <= ran.output.keys()
    assert "of-the-server" not in json.dumps(ran.output)
    assert ran.stderr == ()


@pytest.mark.rule("X23")
async def test_a_call_that_takes_too_long_is_ended_and_shows_what_it_said(sandbox: Sandbox) -> None:
    source = """
        import subprocess, time
        def act():
            print("begun")
            subprocess.Popen(["sleep", "1000"])
            time.sleep(1000)
    """
    ran = await sandbox.run(program(source, timeout_s=0.5), arguments={})
    assert not ran.ok
    assert "timeout" in str(ran.output)
    assert "0.5 s" in str(ran.output)
    assert ran.stdout == ("begun\n",)


@pytest.mark.rule("FIX-23")
async def test_a_cancelled_call_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    long = program("import time\ndef act():\n  time.sleep(1000)")
    task = asyncio.create_task(sandbox.run(long, arguments={}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await run(sandbox, "def act():\n  return 'still here'")).output == "still here"


@pytest.mark.rule("api-9.8")
async def test_a_result_may_show_images(sandbox: Sandbox) -> None:
    source = """
        def act():
            source = {"type": "base64", "media_type": "image/png", "data": b"\\xff\\xd8\\xff"}
            return [{"type": "text", "text": "A dot:"}, {"type": "image", "source": source}]
    """
    ran = await run(sandbox, source)
    # What it is counts, whatever it is called.
    assert ran.content == (Text(text="A dot:"), Image(media_type="image/jpeg", data="/9j/"))
    assert ran.output == "A dot:"


@pytest.mark.rule("api-9.8", "P18")
@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("image/png", "no base64"),
        ("image/png", ""),
        ("image/png", 7),
        ("image/png", "cG5n"),
        ("text/html", "iVBORw"),
    ],
)
async def test_a_picture_that_no_model_could_be_shown_becomes_words(
    sandbox: Sandbox, media_type: str, data: object
) -> None:
    source = f"""
        def act():
            source = {{"type": "base64", "media_type": {media_type!r}, "data": {data!r}}}
            return [{{"type": "image", "source": source}}]
    """
    ran = await run(sandbox, source)
    assert ran.ok
    assert str(ran.output).startswith("[image"), ran
    assert ran.content == (Text(text=str(ran.output)),)


@pytest.mark.rule("X25")
async def test_calls_at_the_same_time_share_nothing(sandbox: Sandbox) -> None:
    source = """
        import os, pathlib
        def act(name):
            there = sorted(os.listdir("/tmp"))
            pathlib.Path("/tmp/mine").write_text(name)
            processes = [one for one in os.listdir("/proc") if one.isdigit()]
            return f"{name} {there} {processes} {pathlib.Path('mine').read_text()}"
    """
    ran = await asyncio.gather(*(run(sandbox, source, name=str(number)) for number in range(6)))
    assert [one.output for one in ran] == [f"{number} [] ['1'] {number}" for number in range(6)]


async def test_nothing_of_a_call_is_left_for_the_next(sandbox: Sandbox) -> None:
    await run(sandbox, "import sys, json\ndef act():\n  json.dumps = None; sys.modules['spy'] = 1")
    ran = await run(
        sandbox, "import sys, json\ndef act():\n  return [json.dumps is None, 'spy' in sys.modules]"
    )
    assert ran.output == "[False, False]"


@pytest.mark.rule("FIX-54")
async def test_the_walls_are_the_same_for_a_server_that_is_not_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)  # then one user is mapped, as for anybody else
    source = """
        import ctypes, os
        def act():
            libc = ctypes.CDLL(None)
            return [os.getuid(), libc.unshare(0x10000000), libc.ptrace(16, 1, 0, 0)]
    """
    async with sandboxed(tmp_path) as sandbox:
        assert (await run(sandbox, source)).output == "[65534, -1, -1]"


@pytest.mark.rule("FIX-54")
async def test_where_no_sandbox_can_be_made_nothing_runs_unless_the_operator_opts_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "bwrap").write_text("#!/bin/sh\necho no namespaces here. >&2\nexit 1\n")
    (broken / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}:/usr/bin:/bin")
    source = "def act():\n  return 'ran'"
    async with sandboxed(tmp_path / "a") as sandbox:
        assert "no namespaces here" in str(await sandbox.tried())
        ran = await run(sandbox, source)
        assert not ran.ok
        assert "no namespaces here. Custom" in str(ran.output)
        assert "EUNOE_TOOLS_UNSANDBOXED" in str(ran.output)
    async with sandboxed(tmp_path / "b", replace(LIMITS, unsandboxed=True)) as sandbox:
        where = "import os\ndef act():\n  return os.getcwd()"
        used = {str((await run(sandbox, where)).output) for _ in range(4)}
        assert len(used) == 4
        async with asyncio.timeout(20):  # They go when the processes have gone.
            while await asyncio.to_thread(lambda: any(Path(one).exists() for one in used)):
                pass
        slow = program("import time\ndef act():\n  time.sleep(1000)", timeout_s=0.3)
        assert "timeout" in str((await sandbox.run(slow, arguments={})).output)
