"""Machines of E2B."""

import asyncio
import importlib.util
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import SandboxUnavailable
from eunoe.tools.machines import MOST_BYTES, Order, installed

if TYPE_CHECKING:
    from e2b import AsyncCommandHandle, AsyncSandbox

_KEY: Final = "E2B_API_KEY"
_EVERYWHERE: Final = "0.0.0.0/0"
_MOST_SENT: Final = 1024 * 1024
_LEAVE_S: Final = 5.0


class E2b:
    """Makes a machine from a template, and installs packages on it."""

    kind: SandboxType = "e2b"
    folder = "/tmp/eunoe"  # noqa: S108 -- the whole machine is the call's own

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._key = variables.get(_KEY)

    def missing(self) -> str | None:
        if importlib.util.find_spec("e2b") is None:
            return "Tools are to run at E2B, which needs `python -m pip install 'eunoe[e2b]'`."
        return None if self._key else f"{_KEY} is not set."

    async def make(self, order: Order) -> "_Machine":
        from e2b import AsyncSandbox  # noqa: PLC0415 -- slow to import, rarely needed

        box = await AsyncSandbox.create(
            template=order.template,
            timeout=order.lifetime_s,
            allow_internet_access=order.network or bool(order.installs),
            api_key=self._key,
        )
        return _Machine(box)

    async def close(self) -> None:
        """Do nothing: the SDK keeps nothing open."""


class _Machine:
    def __init__(self, box: "AsyncSandbox") -> None:
        self._box = box
        self._starting: list[asyncio.Future[_Process]] = []

    async def prepare(self, order: Order) -> None:
        for command in order.installs:
            await installed(self, command)
        if order.installs and not order.network:
            await self._box.update_network({"deny_out": [_EVERYWHERE]})

    async def start(self, command: Sequence[str], *, timeout_s: float) -> "_Process":
        # The SDK is not cancelled in the midst of it: what failed then is heard of by nobody.
        starting = asyncio.ensure_future(self._started(shlex.join(command), timeout_s))
        self._starting.append(starting)
        return await asyncio.shield(starting)

    async def _started(self, command: str, timeout_s: float) -> "_Process":
        heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        seen = 0

        def hear(text: str) -> None:
            nonlocal seen
            seen += len(text)
            if seen > MOST_BYTES:
                raise SandboxUnavailable("The sandbox says more than it may.")
            heard.put_nowait(text.encode())

        handle = await self._box.commands.run(
            command, background=True, stdin=True, on_stdout=hear, timeout=timeout_s
        )
        return _Process(handle, heard)

    async def end(self) -> None:
        await self._box.kill()
        started = await asyncio.gather(*self._starting, return_exceptions=True)
        # That a command failed, as it does now, is to be heard of by somebody.
        over = [one.over for one in started if isinstance(one, _Process)]
        async with asyncio.timeout(_LEAVE_S):
            await asyncio.gather(*over, return_exceptions=True)


class _Process:
    def __init__(
        self, handle: "AsyncCommandHandle[Any]", heard: asyncio.Queue[bytes | None]
    ) -> None:
        self._handle = handle
        self._heard = heard
        self.over = asyncio.ensure_future(handle.wait())
        self.over.add_done_callback(lambda _: heard.put_nowait(None))

    async def output(self) -> AsyncIterator[bytes]:
        while (piece := await self._heard.get()) is not None:
            yield piece

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), _MOST_SENT):
            await self._handle.send_stdin(data[at : at + _MOST_SENT])

    async def ended(self) -> tuple[int, str]:
        from e2b import CommandExitException  # noqa: PLC0415 -- as above

        try:
            return 0, (await asyncio.shield(self.over)).stderr
        except CommandExitException as error:
            return error.exit_code, error.stderr
