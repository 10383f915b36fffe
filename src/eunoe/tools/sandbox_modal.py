"""Machines of Modal."""

import asyncio
import importlib
import importlib.util
import math
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import PackagesRefused
from eunoe.tools.machines import Order

if TYPE_CHECKING:
    from modal import App, Client, Sandbox
    from modal.container_process import ContainerProcess

_ID: Final = "MODAL_TOKEN_ID"
_SECRET: Final = "MODAL_TOKEN_SECRET"  # noqa: S105 -- the name of a variable
_APP: Final = "eunoe"
_PYTHON: Final = "3.12"
_MEBIBYTE: Final = 1024 * 1024
_ITS_OWN_MIB: Final = 128
"""What a machine needs beside what the tool may use."""
_MOST_SENT: Final = 1024 * 1024


class Modal:
    """Makes a machine from an image that has the packages, which Modal builds once and keeps."""

    kind: SandboxType = "modal"
    folder = "/srv/eunoe"

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._token = (variables.get(_ID, ""), variables.get(_SECRET, ""))
        self._opening: asyncio.Future[tuple[Client, App]] | None = None

    def missing(self) -> str | None:
        if importlib.util.find_spec("modal") is None:
            return "Tools are to run at Modal, which needs `python -m pip install 'eunoe[modal]'`."
        return None if all(self._token) else f"{_ID} and {_SECRET} are not both set."

    async def make(self, order: Order) -> "_Machine":
        client, app = await self._opened()
        import modal  # noqa: PLC0415 -- slow to import, rarely needed

        image = modal.Image.debian_slim(python_version=_PYTHON)
        if order.installs:
            image = image.run_commands(*(shlex.join(command) for command in order.installs))
        try:
            # What it returns is known, and what it takes is not.
            box = await cast("Any", modal.Sandbox).create.aio(
                *("sleep", str(order.lifetime_s)),
                app=app,
                image=image,
                timeout=order.lifetime_s,
                block_network=not order.network,
                memory=order.memory_bytes // _MEBIBYTE + _ITS_OWN_MIB,
                client=client,
            )
        except modal.exception.ImageBuildError as error:
            raise PackagesRefused(f"Its packages could not be installed: {error}") from error
        return _Machine(box)

    async def close(self) -> None:
        if self._opening is not None and self._opening.done() and not self._opening.exception():
            client, _ = self._opening.result()
            await client.close.aio()

    async def _opened(self) -> tuple["Client", "App"]:
        """Return the connection and the app that machines belong to; failing, try anew."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> tuple["Client", "App"]:
        await asyncio.to_thread(importlib.import_module, "modal")
        from modal import App, Client  # noqa: PLC0415 -- it is loaded by now

        client = await Client.from_credentials.aio(*self._token)
        app = await App.lookup.aio(_APP, create_if_missing=True, client=client)
        return client, app


class _Machine:
    def __init__(self, box: "Sandbox") -> None:
        self._box = box

    async def prepare(self, order: Order) -> None:
        """Nothing is left to be done: the image has all, and the network is as it was ordered."""

    async def start(self, command: Sequence[str], *, timeout_s: float) -> "_Process":
        timeout = math.ceil(timeout_s)
        return _Process(await self._box.exec.aio(*command, text=False, timeout=timeout))

    async def end(self) -> None:
        await self._box.terminate.aio()
        await cast("Any", self._box).detach.aio()


class _Process:
    def __init__(self, process: "ContainerProcess[bytes]") -> None:
        self._process = process

    async def output(self) -> AsyncIterator[bytes]:
        async for piece in self._process.stdout:
            yield piece

    async def send(self, data: bytes) -> None:
        stdin = cast("Any", self._process.stdin)
        for at in range(0, len(data), _MOST_SENT):
            stdin.write(data[at : at + _MOST_SENT])
            await stdin.drain.aio()

    async def ended(self) -> tuple[int, str]:
        said = await self._process.stderr.read.aio()
        return await self._process.wait.aio(), said.decode(errors="replace")
