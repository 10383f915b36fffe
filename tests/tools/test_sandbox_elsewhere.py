"""One contract of all sandboxes: this machine's, and those of E2B behind the SDK and its wire."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from eunoe.domain.messages import Image, Json
from eunoe.tools.programs import Program, ProgramSandbox, Ran, Requirement
from eunoe.tools.sandbox_e2b import E2bSandbox
from tests.fixtures.e2b import TMP, E2b, e2b_service
from tests.tools.programs import LIMITS, program, sandboxed
from tests.tools.test_sandbox_packages import wheel

pytestmark = pytest.mark.anyio

STATE: Json = {"memory": {"blocks": [{"label": "human", "value": "Ada"}]}}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    service: E2b
    sandbox: E2bSandbox

    async def run(self, made: Program, **arguments: object) -> Ran:
        return await self.sandbox.run(made, arguments=arguments)


@pytest.fixture
async def e2b(tmp_path: Path) -> AsyncGenerator[Elsewhere]:
    async with e2b_service(tmp_path) as service:
        yield Elsewhere(service, E2bSandbox(limits=LIMITS))


@pytest.fixture(scope="module", params=["local", "e2b"])
async def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[ProgramSandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    async with AsyncExitStack() as stack:
        if request.param == "local":
            yield await stack.enter_async_context(sandboxed(folder))
        else:
            await stack.enter_async_context(e2b_service(folder))
            yield E2bSandbox(limits=LIMITS)


@pytest.mark.rule("X10", "X21", "X25", "X28", "X30")
@pytest.mark.parametrize(
    ("source", "arguments", "output"),
    [
        ("def act(n: int): return n + 1", {"n": "2"}, "3"),
        ("async def act(): return {'a': [1, None], 2: {3}}", {}, {"a": [1, None], "2": "{3}"}),
        ("def act(text: str): return text[::-1]", {"text": "é\ud83d"}, "\ud83dé"),
        ("import os\ndef act(): return [os.environ.get(n) for n in ('A', 'B', 'E2B_API_KEY', 'LETTA_AGENT_ID')]", {}, "['own', 'b', None, 'agent-1']"),
        ("def act(agent_id: str): return agent_id", {}, "agent-1"),
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
            image = {"type": "base64", "media_type": "image/png", "data": b"png"}
            return [{"type": "image", "source": image}]
    """
    ran = await sandbox.run(program(source, agent_state=STATE), arguments={})
    assert ran.ok, ran
    assert ran.agent_state == {"memory": {"blocks": [{"label": "human", "value": "Bob"}]}}
    assert ran.content == (Image(media_type="image/png", data="cG5n"),)
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
        ("def act(): return 'x' * 9_000_000", "larger than a tool may return", ""),
        ("def act(): return len(bytearray(2 * 10**9))", "MemoryError", ""),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_a_value(
    sandbox: ProgramSandbox, source: str, told: str, stderr: str
) -> None:
    ran = await sandbox.run(program(source, timeout_s=3.0), arguments={})
    assert (ran.ok, told in str(ran.output)) == (False, True), ran
    assert stderr in "".join(ran.stderr)


@pytest.mark.rule("X21")
async def test_a_call_elsewhere_has_a_machine_of_its_own_that_is_gone_afterwards(
    e2b: Elsewhere,
) -> None:
    source = """
        import pathlib
        def act():
            left = sorted(path.name for path in pathlib.Path("/tmp/eunoe").iterdir())
            pathlib.Path("/tmp/eunoe/left").touch()
            return str(left)
    """
    made = replace(program(source), template="mine")
    for _ in range(2):
        assert (await e2b.run(made)).output == "['inside.zip']"
    assert e2b.service.ended == ["box1", "box2"]
    first = e2b.service.made[0]
    assert (first["templateID"], first["allow_internet_access"]) == ("mine", False)
    await e2b.run(program("def act(): pass", network=True))
    assert e2b.service.made[2]["allow_internet_access"] is True


@pytest.mark.rule("X21", "FIX-23")
async def test_a_cancelled_call_ends_its_machine(e2b: Elsewhere) -> None:
    slow = program("import time\ndef act(): time.sleep(60)")
    call = asyncio.create_task(e2b.run(slow))
    async with asyncio.timeout(30):
        while not e2b.service.running:  # noqa: ASYNC110 -- the service sets no event
            await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert e2b.service.ended == ["box1"]


@pytest.mark.rule("X21", "X22")
async def test_packages_are_installed_elsewhere_before_the_network_is_shut(
    e2b: Elsewhere, tmp_path: Path
) -> None:
    (tmp_path / "image").mkdir()
    wheel(tmp_path / "image" / "wheels", "eunoesample", "1.0", "value = 'one'")
    e2b.service.environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{TMP}/wheels"}
    source = "import eunoesample\ndef act(): return eunoesample.value"
    needed = (Requirement(name="eunoesample", version="1.0"),)
    assert (await e2b.run(program(source, requirements=needed))).output == "one"
    assert e2b.service.made[0]["allow_internet_access"] is True
    assert [one["denyOut"] for one in e2b.service.blocked] == [["0.0.0.0/0"]]
    missing = program(source, requirements=(Requirement(name="eunoemissing"),))
    assert "could not be installed" in str((await e2b.run(missing)).output)
    option = program(source, requirements=(Requirement(name="--user"),))
    assert "not the name of a package" in str((await e2b.run(option)).output)
    assert e2b.service.ended == ["box1", "box2", "box3"]


@pytest.mark.rule("X21", "FIX-54")
async def test_what_cannot_run_elsewhere_says_why(
    e2b: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program("def act(): pass")
    assert "own sandbox alone" in str((await e2b.run(replace(made, language="typescript"))).output)
    e2b.service.refuses = True
    refused = await e2b.run(made)
    assert (refused.ok, "no such key" in str(refused.output)) == (False, True), refused
    assert await e2b.sandbox.tried() is None
    monkeypatch.delenv("E2B_API_KEY")
    assert "E2B_API_KEY" in str(await e2b.sandbox.tried())
