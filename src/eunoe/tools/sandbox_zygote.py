"""A warm interpreter inside a sandbox: each call of it is a fork with walls of its own."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

from eunoe.domain.messages import Json
from eunoe.errors import SandboxUnavailable
from eunoe.tools.inside.confinement import NOBODY
from eunoe.tools.inside.monitor import LENGTH, TIME
from eunoe.tools.inside.zygote import READY
from eunoe.tools.programs import Call
from eunoe.tools.sandbox_bubblewrap import INSIDE, interpreter, refusal

_CHUNK: Final = 262_144
_MOST_ASKED: Final = 8 * 1024 * 1024
_START_S: Final = 30.0
_STOP_S: Final = 5.0
_MAIN: Final = (
    "import sys; sys.path.insert(0, {path!r}); from inside.zygote import main; "
    "del sys.path[0]; main({control}, sys.argv[1])"
)


class Zygote:
    """One sandbox with its waiting interpreter; `start` makes one, `close` ends it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._lost = False
        self.calls = 0

    @property
    def is_alive(self) -> bool:
        return not self._lost and self._process.returncode is None

    @classmethod
    async def start(
        cls, walls: Sequence[str], *, terms: Json, inside: Path | None = None
    ) -> "Zygote":
        """Start the interpreter within `walls`, or without any, from the folder `inside`.

        Raises `SandboxUnavailable` with what the system says against it.
        """
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs, tempfile.TemporaryFile() as said:
            try:
                process = await _started(walls, theirs.fileno(), said, inside=inside, terms=terms)
                ours.setblocking(False)
                zygote = cls(process, ours)
                theirs.close()
                await asyncio.wait_for(zygote._ready(said), _START_S)
            except BaseException:
                ours.close()
                raise
        return zygote

    async def call(
        self, request: Json, *, timeout_s: float, most_bytes: int, made: Call | None = None
    ) -> Json:
        """Have one call carried out; to be cancelled is to end it, with all that it started.

        The code reaches tools by `made`, over a socket of its own.

        Raises `SandboxUnavailable` if the sandbox was lost on the way.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        told, telling = socket.socketpair()
        # A task more is a call's way through the loop more.
        answering = [] if made is None else [asyncio.create_task(_answering(told, made))]
        self.calls += 1
        try:
            with theirs, telling:
                self._ask([theirs.fileno(), telling.fileno()], timeout_s)
            ours.setblocking(False)
            body = json.dumps(request).encode("utf-8", "surrogatepass")
            await loop.sock_sendall(ours, LENGTH.pack(len(body)) + body)
            answer = bytearray()
            while piece := await loop.sock_recv(ours, _CHUNK):
                answer += piece
                if len(answer) > most_bytes:
                    raise SandboxUnavailable("The sandbox answered more than it may.")
        except OSError as error:
            raise SandboxUnavailable(f"The sandbox was lost: {error}.") from error
        finally:
            self.calls -= 1
            ours.close()
            for task in answering:
                task.cancel()
            # What went wrong there is not this call's failure: its code has heard of it.
            await asyncio.gather(*answering, return_exceptions=True)
            told.close()
        if not answer:
            raise SandboxUnavailable("The sandbox was lost.")
        return cast("Json", json.loads(answer))

    async def close(self) -> None:
        """End the sandbox, with everything in it."""
        self._control.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _ask(self, ends: Sequence[int], timeout_s: float) -> None:
        try:
            socket.send_fds(self._control, [TIME.pack(timeout_s)], ends)
        except ConnectionError:
            # Known before the loop hears of the end of the process.
            self._lost = True
            raise

    async def _ready(self, said: IO[bytes]) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            if await loop.sock_recv(self._control, len(READY)) == READY:
                return
        await self._process.wait()
        said.seek(0)
        raise SandboxUnavailable(refusal(said.read(2_000).decode(errors="replace")))


async def _answering(told: socket.socket, made: Call) -> None:
    """Answer the calls of tools that code makes, one by one; where that fails, hang up."""
    loop = asyncio.get_running_loop()
    told.setblocking(False)
    with told:
        while head := await _exactly(told, LENGTH.size):
            (length,) = LENGTH.unpack(head)
            if length > _MOST_ASKED:
                return
            match json.loads(await _exactly(told, length)):
                case {"name": str(name), "arguments": {**arguments}}:
                    answer = json.dumps(await made(name, arguments))
                    data = answer.encode("utf-8", "surrogatepass")
                    await loop.sock_sendall(told, LENGTH.pack(len(data)) + data)
                case _:
                    return


async def _exactly(told: socket.socket, length: int) -> bytes:
    """Return so many bytes, or nothing where the other side has left."""
    got = bytearray()
    while len(got) < length:
        piece = await asyncio.get_running_loop().sock_recv(told, length - len(got))
        if not piece:
            return b""
        got += piece
    return bytes(got)


async def _started(
    walls: Sequence[str], control: int, said: IO[bytes], *, inside: Path | None, terms: Json
) -> asyncio.subprocess.Process:
    path = INSIDE if inside is None else str(inside)
    main = _MAIN.format(path=path, control=control)
    python = (str(interpreter()), "-I", "-S", "-c", main, json.dumps(terms))
    if not walls or os.getuid() != 0:
        return await _process((*walls, *python), said, (control,))
    # Root maps two users: itself, to make the walls, and nobody, whom the calls are run by.
    (told, tell), (wait, go) = os.pipe(), os.pipe()
    try:
        blocked = ("--info-fd", str(tell), "--userns-block-fd", str(wait))
        command = (walls[0], *blocked, *walls[1:], *python)
        process = await _process(command, said, (control, tell, wait))
        os.close(tell)
        tell = -1
        await asyncio.to_thread(_map_users, told)
        os.write(go, b"1")
        return process
    finally:
        for end in {told, tell, wait, go} - {-1}:
            os.close(end)


async def _process(
    command: Sequence[str], said: IO[bytes], descriptors: tuple[int, ...]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=descriptors,
            env=_ENVIRONMENT,
        )
    except OSError as error:
        raise SandboxUnavailable(refusal(error)) from error


def _map_users(told: int) -> None:
    """Map the users of the sandbox whose first process bubblewrap names on `told`."""
    said = bytearray()
    while piece := os.read(told, 4096):
        said += piece
        with suppress(ValueError):
            process = int(json.loads(said)["child-pid"])
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{process}/{name}").write_text(
                    f"0 0 1\n{NOBODY} {NOBODY} 1\n", encoding="ascii"
                )
            return


_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
