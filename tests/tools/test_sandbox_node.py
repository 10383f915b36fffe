"""Tools in TypeScript: the same walls, and Node within them (FIX-57)."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from eunoe.domain.messages import Image, Json
from eunoe.testing.http_server import serving
from eunoe.tools.programs import Program, Ran, Requirement
from eunoe.tools.sandbox import Sandbox
from tests.node import runtime
from tests.tools.packages import NpmRegistry
from tests.tools.programs import sandboxed

pytestmark = pytest.mark.anyio

ROLL = """
enum Kind { Fair = "fair", Loaded = "loaded" }
interface Roll { sides: number; kind: Kind; eyes?: number[] }

export async function roll(sides: number, kind: Kind = Kind.Fair): Promise<Roll> {
  console.log("rolling");
  console.error("careful");
  await Promise.resolve();
  return { sides, kind, eyes: undefined };
}
"""
CLIENT = "@letta-ai/letta-client"
SCHEMA: Json = {"properties": {"kind": {}, "sides": {}}, "required": ["sides"]}


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", runtime.environment()["PATH"])
        async with sandboxed(tmp_path_factory.mktemp("sandbox")) as sandbox:
            yield sandbox


def program(source: str, *, function: str = "act", **more: Any) -> Program:
    return Program(
        name=function,
        function=function,
        source=source,
        language="typescript",
        schema=SCHEMA,
        **more,
    )


async def act(sandbox: Sandbox, body: str, **more: Any) -> Ran:
    source = f"import fs from 'node:fs';\nexport async function act(): Promise<any> {{ {body} }}"
    return await sandbox.run(program(source, **more), arguments={})


@pytest.mark.rule("X36", "FIX-57")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sides": 6}, {"sides": 6, "kind": "fair"}),
        ({"kind": "loaded", "sides": 4}, {"sides": 4, "kind": "loaded"}),
    ],
)
async def test_the_exported_function_is_called_by_place(
    sandbox: Sandbox, arguments: Json, said: Json
) -> None:
    ran = await sandbox.run(program(ROLL, function="roll"), arguments=arguments)
    assert (ran.ok, ran.output) == (True, said), ran
    assert (ran.stdout, ran.stderr) == (("rolling\n",), ("careful\n",))


@pytest.mark.rule("X36")
async def test_null_is_null_and_what_is_left_out_undefined(sandbox: Sandbox) -> None:
    source = "export const act = (sides: any, kind: any = 'fair') => [String(sides), String(kind)];"
    for arguments, said in (
        ({"sides": None, "kind": None}, '["null","null"]'),
        ({"kind": None}, '["undefined","null"]'),
        ({}, '["undefined","fair"]'),
    ):
        ran = await sandbox.run(program(source), arguments=arguments)
        assert (ran.ok, ran.output) == (True, said), ran


@pytest.mark.rule("X36")
@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("return 'text'", "text"),
        ("return [1, 'a']", '[1,"a"]'),
        ("return", "null"),
        ("return [null, { type: 'image' }]", '[null,{"type":"image"}]'),
        ("return process.env.TOKEN", "of the call"),
        ("return Object.keys(process.env).includes('HOSTNAME')", "false"),
        ("fs.writeFileSync('a', 'b'); return fs.readFileSync('a', 'utf8')", "b"),
    ],
)
async def test_what_it_returns_is_the_result(sandbox: Sandbox, body: str, output: str) -> None:
    ran = await act(sandbox, body, environment={"TOKEN": "of the call"})
    assert (ran.ok, ran.output) == (True, output), ran


@pytest.mark.rule("X36", "api-9.8")
async def test_what_it_returns_may_show_images(sandbox: Sandbox) -> None:
    source = "{ type: 'base64', media_type: 'image/png', data: 'iVBORw==' }"
    ran = await act(sandbox, f"return [{{ type: 'image', source: {source} }}]")
    assert ran.content == (Image(media_type="image/png", data="iVBORw=="),)
    assert ran.output == "[image]"


@pytest.mark.rule("X3", "X36")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("throw new RangeError('too far')", "RangeError: too far"),
        ("throw new Error('far', { cause: new Error('gone') })", "\n[cause]: Error: gone\n"),
        ("process.exit(3)", "ended without a result, with status 3"),
        ("await fetch('http://example.com/')", '{"network": true}'),
        ("await import('nowhere')", "npm_requirements"),
        ("let x: number = ;", "SyntaxError"),
        ("while (true) {}", "timeout"),
        ("const all = []; while (true) all.push('x'.repeat(9e6) + Math.random())", "ended"),
    ],
)
async def test_what_goes_wrong_is_a_result(sandbox: Sandbox, body: str, told: str) -> None:
    ran = await act(sandbox, body, timeout_s=5.0)
    assert not ran.ok
    assert told in str(ran.output) + "".join(ran.stderr)
    assert "run.mjs" not in "".join(ran.stderr), "the lines of the tool alone"


@pytest.mark.rule("X31", "FIX-57")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return fs.readFileSync('/etc/passwd', 'utf8')", "has been restricted"),
        ("return fs.readdirSync('/')", "has been restricted"),
        ("fs.writeFileSync('/usr/a', '')", "has been restricted"),
        ("(await import('node:child_process')).execSync('id')", "has been restricted"),
        ("new (await import('node:worker_threads')).Worker('./run.mjs')", "has been restricted"),
        ("await fetch('http://127.0.0.1:1/')", "fetch failed"),
    ],
)
async def test_it_reaches_nothing_of_the_machine(sandbox: Sandbox, body: str, told: str) -> None:
    ran = await act(sandbox, body)
    assert not ran.ok
    assert told in str(ran.output) + "".join(ran.stderr)


@pytest.mark.rule("FIX-57")
async def test_a_source_without_the_function_says_so(sandbox: Sandbox) -> None:
    ran = await sandbox.run(program("function act() {}"), arguments={})
    assert "exports no function `act`" in str(ran.output)


@pytest.mark.rule("X27", "X36", "X22")
async def test_npm_packages_are_installed_once_without_their_scripts(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = NpmRegistry()
    shim = tmp_path / "bin" / "npm"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{runtime.node()}" "{runtime.npm()}" "$@"\n')
    shim.chmod(0o755)
    source = "import { value } from '@eunoe/sample';\nexport const act = () => value;"

    async def sampled(version: str | None, name: str = "@eunoe/sample") -> Ran:
        needed = (Requirement(name=name, version=version),)
        return await sandbox.run(program(source, npm_requirements=needed), arguments={})

    async with serving(registry.answer) as url:
        monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
        monkeypatch.setenv("npm_config_registry", url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        assert (await sampled("~1.0.0")).output == "1.0.0"
        assert (await sampled(None)).output == "1.2.0"
        before = len(registry.asked)
        assert (await sampled(None)).output == "1.2.0"
        assert len(registry.asked) == before
        clients = NpmRegistry(
            name=CLIENT,
            code="exports.Letta = class { constructor(a) { Object.assign(this, a); } };",
        )
        async with serving(clients.answer) as other:
            monkeypatch.setenv("npm_config_registry", other)
            asking = "declare const client: any;\nexport const act = () => client;"
            for given in (
                {"LETTA_API_KEY": "key"},
                {"LETTA_API_KEY": "key", "LETTA_BASE_URL": url},
            ):
                needed = (Requirement(name=CLIENT),)
                ran = await sandbox.run(
                    program(asking, npm_requirements=needed, environment=given), arguments={}
                )
                wanted = {"apiKey": "key", "baseURL": url} if len(given) > 1 else "null"
                assert ran.output == wanted, ran
        assert "not the name" in str((await sampled(None, name="--prefix=/")).output)
        assert "not a version" in str((await sampled("git+ssh://x")).output)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "install `npm`" in str((await sampled("1.2.0")).output)


@pytest.mark.rule("FIX-57")
@pytest.mark.parametrize("said", [None, "v20.20.2"])
async def test_without_a_node_that_can_it_is_refused_in_words(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    async with sandboxed(tmp_path / "sandbox") as sandbox:
        ran = await act(sandbox, "return 1")
    assert not ran.ok
    assert "Node 22.13 or newer" in str(ran.output)
    assert (said or "") in str(ran.output)
