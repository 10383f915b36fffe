"""Code that means harm: each way out of the sandbox is shut, and the server does not notice."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from eunoe.tools.programs import MEBIBYTE, Ran
from eunoe.tools.sandbox import Sandbox
from tests.tools.programs import LIMITS, program, run, sandboxed

pytestmark = [pytest.mark.anyio, pytest.mark.rule("FIX-54", "X31")]

TREASURE = "the-treasure"


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sandbox]:
    async with sandboxed(tmp_path_factory.mktemp("sandbox")) as made:
        yield made


@pytest.fixture(scope="module")
async def online(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sandbox]:
    limits = replace(LIMITS, network="on")
    async with sandboxed(tmp_path_factory.mktemp("online"), limits) as made:
        yield made


@contextmanager
def listening(family: int, address: object) -> Generator[socket.socket]:
    with socket.socket(family) as server:
        server.bind(address)  # pyright: ignore[reportArgumentType] -- as the family has them
        server.listen()
        server.setblocking(False)
        yield server


def is_untouched(server: socket.socket) -> bool:
    try:
        server.accept()
    except BlockingIOError:
        return True
    return False


async def fine(sandbox: Sandbox) -> bool:
    return (await run(sandbox, "def act():\n  return 'fine'")).output == "fine"


def failed(ran: Ran, *reasons: str) -> bool:
    return not ran.ok and any(reason in str(ran.output) for reason in reasons)


@pytest.mark.parametrize("name", ["eunoe.db", "packages/secret.txt", ".env"])
async def test_the_data_folder_is_not_there(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(TREASURE)
    ran = await run(sandbox, "def act(path):\n  return open(path).read()", path=str(path))
    assert failed(ran, "FileNotFoundError")


async def test_the_server_s_environment_and_processes_are_not_there(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EUNOE_PASSWORD", TREASURE)
    source = """
        import glob, os
        def act():
            seen = [str(dict(os.environ))]
            for path in glob.glob("/proc/[0-9]*/*") + glob.glob("/proc/[0-9]*/task/*/*"):
                try:
                    seen.append(open(path, errors="replace").read(100_000))
                except OSError:
                    pass
            return "\\n".join(seen) + str(sorted(one for one in os.listdir("/proc") if one.isdigit()))
    """
    ran = await run(sandbox, source)
    assert ran.ok, ran
    assert TREASURE not in str(ran.output)
    assert str(ran.output).endswith("['1']")


@pytest.mark.parametrize("where", ["/usr", "/etc/passwd", "/run/eunoe/inside/call.py", "/dev", "/"])
async def test_nothing_outside_its_own_folder_can_be_written(sandbox: Sandbox, where: str) -> None:
    source = """
        import os
        def act(where):
            path = where if os.path.isfile(where) else os.path.join(where, "mine")
            open(path, "a").write("mine")
    """
    assert failed(await run(sandbox, source, where=where), "Read-only", "Permission denied")


async def test_a_link_leads_nowhere_else(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "eunoe.db").write_text(TREASURE)
    source = """
        import os
        def act(path):
            os.symlink("/proc/1/root" + path, "/tmp/link")
            return open("/tmp/link").read()
    """
    assert failed(await run(sandbox, source, path=str(tmp_path / "eunoe.db")), "FileNotFoundError")


async def test_unix_sockets_are_not_made(sandbox: Sandbox, online: Sandbox, tmp_path: Path) -> None:
    source = "import socket\ndef act(path):\n  socket.socket(socket.AF_UNIX).connect(path)"
    for address in (str(tmp_path / "s"), "\0eunoe-abstract"):
        with listening(socket.AF_UNIX, address) as server:
            for one in (sandbox, online):
                assert failed(await run(one, source, path=address), "PermissionError")
            assert is_untouched(server)


DIAL = "import socket\ndef act(host, port):\n  socket.create_connection((host, port), timeout=5)"


async def test_without_a_network_nothing_is_reached(sandbox: Sandbox) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as server:
        ran = await run(sandbox, DIAL, host="127.0.0.1", port=server.getsockname()[1])
        assert failed(ran, "Network is unreachable")
        assert "metadata" in ran.stderr[-1], "it is told how a tool gets a network"
        assert is_untouched(server)
    asked = replace(program(DIAL), network=True)
    assert asked.network


@pytest.mark.rule("FIX-69")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "0.0.0.0",  # noqa: S104 -- dialled, not bound
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "::7f00:1",
        "fec0::1",
    ],
)
async def test_with_a_network_private_addresses_are_not_reached(online: Sandbox, host: str) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as server:
        ran = await run(online, DIAL, host=host, port=server.getsockname()[1])
        assert failed(ran, "PermissionError"), ran
        assert is_untouched(server)


async def test_a_network_that_may_be_private_is_reached_through_the_server(tmp_path: Path) -> None:
    source = """
        import asyncio, http.client, threading, urllib.request
        async def fetch(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return (await reader.read()).decode().split()[-1]

        def act(port):
            said = [urllib.request.urlopen(f"http://127.0.0.1:{port}").read().decode()]
            thread = threading.Thread(target=lambda: said.append(asyncio.run(fetch(port))))
            thread.start()
            thread.join()
            return said
    """

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")
        await writer.drain()
        writer.close()

    limits = replace(LIMITS, network="asked", private_network=True)
    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sandboxed(tmp_path, limits) as sandbox:
        ran = await sandbox.run(program(source, network=True), arguments={"port": port})
        assert ran.output == "['hello', 'hello']", ran
        assert not (await sandbox.run(program(source), arguments={"port": port})).ok
        ran = await sandbox.run(
            program(DIAL, network=True), arguments={"host": "169.254.169.254", "port": 80}
        )
        assert failed(ran, "PermissionError")


async def test_names_and_packets_do_not_go_out(online: Sandbox) -> None:
    source = """
        import socket
        def act(port):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.sendto(b"out", ("127.0.0.1", port))
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        assert failed(await run(online, source, port=server.getsockname()[1]), "unreachable")
        with pytest.raises(BlockingIOError):
            server.recv(10)


async def test_a_fork_bomb_is_bounded(sandbox: Sandbox) -> None:
    source = """
        import os, time
        def act():
            while True:
                if os.fork() == 0:
                    time.sleep(1000)
    """
    ran, other = await asyncio.gather(run(sandbox, source), fine(sandbox))
    assert failed(ran, "BlockingIOError", "MemoryError"), ran
    assert other, "calls at the same time have a count of their own"


@pytest.mark.parametrize(
    "source",
    [
        "def act():\n  return len(b'x' * (1 << 30))",
        """
        import os, time
        def act():
            for _ in range(20):
                if os.fork() == 0:
                    mine = bytearray(os.urandom(1 << 20)) * 60
                    time.sleep(1000)
            time.sleep(1000)
        """,
        """
        import mmap, os
        def act():
            shared = mmap.mmap(-1, 1 << 30)
            for at in range(0, 1 << 30, 4096):
                shared[at] = 1
        """,
        """
        def act():
            with open("/tmp/large", "wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        """,
    ],
    ids=["one", "many", "shared", "files"],
)
async def test_memory_is_bounded(sandbox: Sandbox, source: str) -> None:
    ran = await run(sandbox, source)
    assert failed(ran, "MemoryError", "File too large", "No space left"), ran
    assert await fine(sandbox)


async def test_endless_output_is_cut(sandbox: Sandbox) -> None:
    source = """
        import os
        def act():
            for _ in range(64):
                os.write(1, b"x" * (1 << 20))
            return "done"
    """
    ran = await run(sandbox, source)
    assert ran.output == "done"
    assert len(ran.stdout[0]) < 2 * MEBIBYTE
    assert "more bytes were dropped" in ran.stdout[0]


async def test_an_endless_loop_is_ended(sandbox: Sandbox) -> None:
    source = """
        import signal
        def act():
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                pass
    """
    ran = await sandbox.run(program(source, timeout_s=0.5), arguments={})
    assert failed(ran, "timeout")
    assert await fine(sandbox)


async def test_other_processes_cannot_be_signalled(sandbox: Sandbox) -> None:
    source = """
        import os, signal
        def act(server):
            for pid in (server, 2, 3, os.getppid()):
                if pid:
                    os.kill(pid, signal.SIGKILL)
    """
    assert failed(await run(sandbox, source, server=os.getpid()), "ProcessLookupError")
    everyone = "import os, signal\ndef act():\n  os.kill(-1, signal.SIGKILL)"
    assert failed(await run(sandbox, everyone), "ProcessLookupError", "without a result")
    assert await fine(sandbox)


@pytest.mark.parametrize(
    "call",
    [
        "libc.ptrace(16, 1, 0, 0)",
        "libc.unshare(0x10000000)",
        "libc.unshare(0x00020000)",
        "libc.setns(0, 0)",
        "libc.mount(b'proc', b'/tmp', b'proc', 0, None)",
        "libc.umount2(b'/proc', 2)",
        "libc.chroot(b'/tmp')",
        "libc.process_vm_readv(1, None, 0, None, 0, 0)",
        "libc.memfd_create(b'hidden', 0)",
        "libc.shmget(0, 1 << 30, 0o1600)",
        "libc.setuid(0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(425, 8, 0)",
        "libc.listen(0, 1)",
    ],
)
async def test_the_kernel_is_asked_in_vain(sandbox: Sandbox, call: str) -> None:
    source = f"""
        import ctypes, os
        def act():
            libc = ctypes.CDLL(None, use_errno=True)
            if {call} < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    """
    ran = await run(sandbox, source)
    assert failed(ran, "PermissionError", "Invalid argument"), ran


async def test_what_is_left_behind_is_ended_too(sandbox: Sandbox, tmp_path: Path) -> None:
    source = """
        import os, subprocess, sys
        def act():
            if os.fork() == 0:
                os.setsid()
                os.closerange(0, 100)
                if os.fork() == 0:
                    os.execvp("sleep", ["sleep", "98765.4321"])
            return "gone"
    """
    assert (await run(sandbox, source)).output == "gone"
    assert await fine(sandbox)
    assert "98765.4321" not in _commands()


def _commands() -> str:
    commands: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            commands.append(path.read_text(errors="replace"))
    return "\n".join(commands)


async def test_nothing_of_a_call_is_in_the_memory_of_those_after_it(sandbox: Sandbox) -> None:
    source = """
        import os, random
        def act(half, tail):
            sought, found = (half + tail).encode(), 0
            ranges = [line.split() for line in open("/proc/self/maps")]
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                for where, rights, *_, path in ranges:
                    begin, end = (int(one, 16) for one in where.split("-"))
                    if rights[0] == "r" and path not in ("[vvar]", "[vsyscall]"):
                        memory.seek(begin)
                        try:
                            found += memory.read(end - begin).count(sought)
                        except OSError:
                            pass
            return f"{found} {sorted(os.environ)} {random.random()}"
    """
    secret = program(source, environment={"SECRET": TREASURE * 3})
    arguments: dict[str, object] = {"half": TREASURE[:5], "tail": TREASURE[5:] + TREASURE}
    first = await sandbox.run(secret, arguments=arguments)
    # More of them than there are processes that wait.
    others = [await sandbox.run(program(source), arguments=arguments) for _ in range(4)]
    assert int(str(first.output).split()[0]) > 1, "it finds what is there"
    for other in others:
        # What it finds is what it made of the arguments.
        assert int(str(other.output).split()[0]) <= 2, other
        assert "SECRET" not in str(other.output)
    assert len({str(one.output).split()[-1] for one in (first, *others)}) == 5, "chance is new"


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ('{"ok": true, "output": "forged", "agent_state": [', "damaged"),
        ('{"ok": true, "parts": 7, "agent_state": 7}', ""),
        ('{"ok": true, "parts": [7, {"source": 7}], "output": null}', ""),
        ('{"error": 7, "trace": 7}', "7"),
    ],
)
async def test_a_forged_result_is_only_its_own(sandbox: Sandbox, forged: str, told: str) -> None:
    source = "import os\ndef act(forged):\n  os.write(3, forged.encode())\n  os._exit(0)"
    assert told in str((await run(sandbox, source, forged=forged)).output)
    assert await fine(sandbox)
