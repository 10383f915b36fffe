"""A real model in a process of its own: it answers, calls, dies, comes back, and goes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from eunoe.domain.events import TextDelta
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.errors import ContextOverflow, ModelOverloaded, ModelUnknown, ModelUnreachable
from eunoe.llm.local_catalog import artifact
from eunoe.llm.local_model import LocalModel
from eunoe.llm.local_process import LocalServer, Running, ServerOptions
from eunoe.llm.local_source import LocalProvider
from eunoe.llm.registry import Registry
from tests.llm.talk import ECHO, NOOP, asking, calls_in, finish_of, said, text_in, usage_in

pytestmark = [pytest.mark.anyio]

SMOL = artifact("smollm2-135m")
# Threads that wait for each other do so at work: with a second one on a busy core that takes minutes.
OPTIONS = ServerOptions(context_tokens=2_048, threads=1, gpu_layers=0)
CONFIG = ModelConfig(
    handle=SMOL.handle,
    model=SMOL.name,
    provider_type="local",
    provider_name="local",
    max_output_tokens=48,
    temperature=0.0,
)


@asynccontextmanager
async def opened(models: Path, logs: Path) -> AsyncGenerator[tuple[LocalServer, LocalModel]]:
    path = models / f"{SMOL.name}.gguf"
    server = LocalServer(path, options=OPTIONS, log=logs / "smol.log")
    model = LocalModel(server)
    yield server, model
    await model.aclose()
    await server.stop()


@pytest.fixture(scope="module")
async def kept(
    smol_folder: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[tuple[LocalServer, LocalModel]]:
    """One process for the tests that leave it as it is."""
    async with opened(smol_folder, tmp_path_factory.mktemp("smol")) as both:
        yield both


@pytest.fixture
async def own(smol_folder: Path, tmp_path: Path) -> AsyncGenerator[tuple[LocalServer, LocalModel]]:
    """One that a test may end, or that has read nothing yet: with half a prompt kept, it rounds otherwise."""
    async with opened(smol_folder, tmp_path) as both:
        yield both


@pytest.fixture
def model(own: tuple[LocalServer, LocalModel]) -> LocalModel:
    return own[1]


def smol(text: str, *tools: object, choice: ToolChoice | None = None) -> ModelRequest:
    offered = [tool for tool in (ECHO, NOOP) if tool in tools]
    return asking(text, tools=offered, choice=choice, config=CONFIG)


@pytest.mark.local_model
async def test_a_reply_is_streamed_and_measured(kept: tuple[LocalServer, LocalModel]) -> None:
    _, model = kept
    events = await said(model, smol("Say hello."))
    assert text_in(events)
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert finish_of(events) in {"stop", "length"}
    usage = usage_in(events)
    assert usage is not None
    assert usage.prompt_tokens > 0


@pytest.mark.local_model
async def test_requests_follow_each_other_at_once_and_wait_for_each_other(
    kept: tuple[LocalServer, LocalModel],
) -> None:
    server, model = kept
    request = replace(smol("Say hello."), config=replace(CONFIG, max_output_tokens=4))
    for _ in range(3):
        assert text_in(await said(model, request))
    first = server.running
    together = await asyncio.gather(*(said(model, request) for _ in range(3)))
    assert all(text_in(events) for events in together)
    assert server.running == first


@pytest.mark.local_model
@pytest.mark.parametrize("name", ["echo", "noop"])
async def test_a_call_that_is_asked_for_is_made_as_its_schema_says(
    model: LocalModel, name: str
) -> None:
    choice = ToolChoice(mode="required", name=name)
    events = await said(model, smol("Repeat: hello.", ECHO, NOOP, choice=choice))
    ((call_id, called, written),) = calls_in(events)
    arguments = json.loads(written)
    assert called == name
    assert call_id.startswith("call_")
    assert set(arguments) <= ({"text"} if name == "echo" else {"a", "n"})
    assert isinstance(arguments["text" if name == "echo" else "a"], str)
    assert finish_of(events) == "tool_calls"
    assert text_in(events) == ""


@pytest.mark.local_model
async def test_a_free_choice_is_text_or_one_call(model: LocalModel) -> None:
    events = await said(model, smol("What is the capital of France?", ECHO, NOOP))
    assert bool(text_in(events)) != bool(calls_in(events))
    assert finish_of(events) in {"stop", "length", "tool_calls"}


@pytest.mark.local_model
async def test_a_process_is_started_by_a_request_and_again_whenever_it_was_killed(
    own: tuple[LocalServer, LocalModel],
) -> None:
    server, model = own
    request = replace(smol("Say hello."), config=replace(CONFIG, max_output_tokens=4))
    seen: list[Running] = []
    assert server.running is None
    for _ in range(3):
        assert text_in(await said(model, request))
        assert server.running is not None
        seen.append(server.running)
        os.kill(seen[-1].pid, signal.SIGKILL)
    assert len({one.pid for one in seen}) == len({one.key for one in seen}) == len(seen)


@pytest.mark.local_model
async def test_only_its_parent_is_served(kept: tuple[LocalServer, LocalModel]) -> None:
    running = await kept[0].ready()
    async with httpx.AsyncClient(base_url=running.base_url) as stranger:
        answer = await stranger.get("completions")
        assert answer.status_code == 401
    assert running.key not in repr(running)


@pytest.mark.local_model
async def test_stopping_ends_the_process(own: tuple[LocalServer, LocalModel]) -> None:
    server, _ = own
    running = await server.ready()
    await server.stop()
    assert server.running is None
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


@pytest.mark.local_model
async def test_a_prompt_beyond_the_window_is_an_overflow(
    kept: tuple[LocalServer, LocalModel],
) -> None:
    _, model = kept
    with pytest.raises(ContextOverflow):
        await said(model, smol("word " * 4_000))


PARENT = """
import asyncio, sys
from pathlib import Path
from eunoe.llm.local_process import LocalServer, ServerOptions

async def main():
    options = ServerOptions(context_tokens=512, threads=1, gpu_layers=0)
    server = LocalServer(Path(sys.argv[1]), options=options, log=Path(sys.argv[2]))
    print((await server.ready()).pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.local_model
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the end of a grandchild")
async def test_the_process_goes_when_its_parent_is_killed(
    smol_folder: Path, tmp_path: Path
) -> None:
    path = smol_folder / f"{SMOL.name}.gguf"
    log = tmp_path / "log"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(path), str(log), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        child = int(await parent.stdout.readline())
        parent.kill()
        await parent.wait()
        await gone(child)


async def gone(pid: int) -> None:
    """Wait until the process has ended; it is no child of ours, so only a pidfd tells."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(fd, ended.set)
    await ended.wait()
    asyncio.get_running_loop().remove_reader(fd)
    os.close(fd)


@pytest.mark.local_model
async def test_a_registry_serves_what_lies_in_the_folder(smol_folder: Path, tmp_path: Path) -> None:
    provider = LocalProvider(smol_folder, logs=tmp_path, options=OPTIONS)
    registry = Registry([provider])
    try:
        assert SMOL.handle in [one.handle for one in await registry.models()]
        config = replace(await registry.resolve(SMOL.handle), max_output_tokens=8)
        assert config.context_window == OPTIONS.context_tokens
        await provider.start(SMOL.handle)
        request = replace(smol("Say hello."), config=config)
        assert text_in(await said(registry.model_for(config), request))
        assert (tmp_path / f"{SMOL.name}.log").exists()
    finally:
        await registry.aclose()


async def test_what_is_no_model_does_not_start_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    broken, log = tmp_path / "broken.gguf", tmp_path / "logs" / "broken.log"
    broken.write_bytes(b"not a model")
    server = LocalServer(broken, options=OPTIONS, log=log)
    model = LocalModel(server)
    for _ in range(5):
        with pytest.raises(ModelUnreachable, match=r"did not start .*broken\.log says why"):
            await server.ready()
    with pytest.raises(ModelOverloaded, match="keeps dying"):
        await said(model, smol("Hello."))
    assert log.stat().st_size > 0
    await model.aclose()
    await server.stop()


async def test_the_folder_is_listed_and_a_stranger_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "my-own.gguf").write_bytes(b"GGUF")
    (tmp_path / "notes.txt").write_text("no model")
    provider = LocalProvider(tmp_path, options=OPTIONS)
    (listing,) = (await provider.listed()).models
    assert listing.handle == "local/my-own"
    assert listing.context_window == OPTIONS.context_tokens
    for name in ("other", "../my-own", f"../{tmp_path.name}/my-own"):
        config = ModelConfig(
            handle=f"local/{name}", model=name, provider_type="local", provider_name="local"
        )
        with pytest.raises(ModelUnknown, match="eunoe models pull"):
            provider.model(config)
    await provider.aclose()
