"""One process watches the calls of a sandbox: where either ends, nothing runs on."""

import asyncio
import os
import select
import signal
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from eunoe.tools.programs import Limits
from tests.tools.programs import LIMITS, run, sandboxed
from tests.tools.test_sandbox_attacks import failed, fine

pytestmark = [pytest.mark.anyio, pytest.mark.rule("FIX-54", "X31")]


@pytest.mark.parametrize("limits", [LIMITS, replace(LIMITS, unsandboxed=True)], ids=["", "bare"])
async def test_what_waits_and_what_runs_ends_with_the_sandbox(
    limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limits.unsandboxed:
        monkeypatch.setattr("eunoe.tools.sandbox.bubblewrap", lambda: None)
    others = _descendants()
    async with sandboxed(tmp_path, limits) as sandbox:
        assert await fine(sandbox)
        long = asyncio.create_task(run(sandbox, "import time\ndef act():\n  time.sleep(1000)"))
        assert await fine(sandbox), "a call that runs is in nobody's way"
        there = _descendants() - others
    assert len(there) > 3
    assert await asyncio.to_thread(_have_ended, there)
    assert failed(await long, "lost")


async def test_a_call_that_comes_to_an_interpreter_after_the_end_is_refused(tmp_path: Path) -> None:
    others = _descendants()
    async with sandboxed(tmp_path) as sandbox:
        assert await fine(sandbox)
    assert failed(await run(sandbox, "import time\ndef act():\n  time.sleep(1000)"), "lost")
    assert await asyncio.to_thread(_have_ended, _descendants() - others)


async def test_where_the_watch_is_lost_nothing_runs_on(tmp_path: Path) -> None:
    others = _descendants()
    async with sandboxed(tmp_path) as sandbox:
        assert await fine(sandbox)
        long = asyncio.create_task(run(sandbox, "import time\ndef act():\n  time.sleep(1000)"))
        while (watch := _watching(there := _descendants() - others)) is None:
            assert await fine(sandbox)
        os.kill(watch, signal.SIGKILL)
        assert failed(await long, "lost")
        assert await asyncio.to_thread(_have_ended, there)

        async def until_fine() -> None:
            while not await fine(sandbox):
                pass

        await asyncio.wait_for(until_fine(), 10)


async def test_a_call_leaves_nothing_open_where_it_was_watched(tmp_path: Path) -> None:
    others = _descendants()
    async with sandboxed(tmp_path, replace(LIMITS, network="on")) as sandbox:
        assert await fine(sandbox)
        before = _open_files(_descendants() - others)
        for _ in range(20):
            assert await fine(sandbox)
        # Some may belong to a call that is about to end.
        assert 0 < _open_files(_descendants() - others) < before + 20


async def test_connections_that_nobody_waits_for_any_more_are_bounded(tmp_path: Path) -> None:
    source = """
        import signal, socket
        def act(port):
            def stop(*_): raise InterruptedError
            signal.signal(signal.SIGALRM, stop)
            for number in range(800):
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                with socket.socket() as dialling:
                    try:
                        dialling.connect(("127.0.0.1", port))
                    except InterruptedError:
                        continue
                    except BlockingIOError:
                        return f"stopped at {number}"
    """
    limits = replace(LIMITS, network="on", private_network=True)
    full, waiting = socket.socket(), [socket.socket() for _ in range(8)]
    with full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in waiting:
            stack.enter_context(one).setblocking(False)
            one.connect_ex(full.getsockname())
        async with sandboxed(tmp_path, limits) as sandbox:
            ran = await run(sandbox, source, port=full.getsockname()[1])
            assert "stopped at" in str(ran.output), ran
            assert await fine(sandbox)


def _open_files(processes: set[int]) -> int:
    """Return how many files are open in the one of them that has the most.

    One that has ended since it was found, or that bubblewrap is just making, cannot be looked at.
    """
    most = 0
    for one in processes:
        with suppress(FileNotFoundError, PermissionError):
            most = max(most, len(os.listdir(f"/proc/{one}/fd")))  # noqa: PTH208 -- names are enough
    return most


def _descendants(process: int = os.getpid()) -> set[int]:
    """Return the processes below this one."""
    found = set[int]()
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            children = set(map(int, path.read_text().split()))
            found |= children.union(*map(_descendants, children))
    return found


def _have_ended(processes: set[int]) -> bool:
    """Wait for all to end; whether they did."""
    for process in processes:
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(process)
            ended, _, _ = select.select([handle], [], [], 5.0)
            os.close(handle)
            if not ended:
                return False
    return True


def _watching(processes: set[int]) -> int | None:
    """Return which of them has threads, one for each call that it watches; null before it has."""
    threads = {one: len(list(Path(f"/proc/{one}/task").glob("*"))) for one in processes}
    return next((one for one, count in threads.items() if count > 1), None)
