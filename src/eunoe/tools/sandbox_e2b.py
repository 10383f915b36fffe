"""Programs in sandboxes of E2B: one for each call, and in it the code that runs calls here."""

import asyncio
import importlib.util
import io
import json
import math
import os
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import structlog

from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import PackagesRefused, SandboxUnavailable
from eunoe.tools import inside
from eunoe.tools.programs import Program, Ran
from eunoe.tools.sandbox import Limits, limits_of, request_of
from eunoe.tools.sandbox_packages import PYTHON
from eunoe.tools.sandbox_results import ran, refused

if TYPE_CHECKING:
    from e2b import AsyncSandbox

_CALLS_AT_ONCE: Final = 32
_FOLDER: Final = "/tmp/eunoe"  # noqa: S108 -- the whole machine is the call's own
_INSIDE: Final = f"{_FOLDER}/inside.zip"
_REQUEST: Final = f"{_FOLDER}/request.json"
_PACKAGES: Final = f"{_FOLDER}/packages"
_MAIN: Final = (
    f"import sys; sys.path.insert(0, {_INSIDE!r}); from inside.alone import main; "
    f"main({_REQUEST!r}, sys.argv[1], float(sys.argv[2]))"
)
_EVERYWHERE: Final = "0.0.0.0/0"
_INSTALL_S: Final = 300.0
_GRACE_S: Final = 30.0
_MOST_TOLD: Final = 600
_MISSING: Final = "Tools are to run at E2B, but the package e2b is missing: install `eunoe[e2b]`."
_ONLY_HERE: Final = (
    "tools in TypeScript, and code that calls tools, run in this server's own sandbox alone, and "
    "the operator has chosen E2B"
)

_log = structlog.get_logger("eunoe.sandbox")


class E2bSandbox:
    """Runs programs elsewhere. The key is that of the SDK, `E2B_API_KEY`."""

    kind: ClassVar[SandboxType] = "e2b"

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits
        self._room = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def tried(self) -> str | None:
        """Find out what is missing and log it; return it, or null."""
        reason = None if os.environ.get("E2B_API_KEY") else "E2B_API_KEY is not set."
        if importlib.util.find_spec("e2b") is None:
            reason = _MISSING
        if reason is not None:
            _log.error("tools_refused", reason=reason)
        return reason

    async def run(
        self,
        program: Program,
        *,
        arguments: Json,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Ran:
        """Run the program as the local sandbox does; its machine is gone afterwards."""
        limits = self._limits
        timeout_s = limits.time_of(program)
        if program.language != "python" or program.call is not None:
            return refused(program, _ONLY_HERE)
        request = request_of(program, arguments, variables, timeout_s=timeout_s)
        request["paths"] = [_PACKAGES] if program.requirements else []
        async with self._room:
            try:
                async with asyncio.timeout(timeout_s + _INSTALL_S + _GRACE_S):
                    answer = await self._answered(program, request, timeout_s=timeout_s)
            except TimeoutError:
                return refused(program, "the remote sandbox did not answer in time")
            except (SandboxUnavailable, PackagesRefused) as error:
                return refused(program, str(error))
        return ran(program, answer, timeout_s=timeout_s, memory_bytes=limits.memory_bytes)

    async def _answered(self, program: Program, request: Json, *, timeout_s: float) -> Json:
        """Raise `SandboxUnavailable` with what the service says, whatever that is."""
        try:
            from e2b import AsyncSandbox  # noqa: PLC0415 -- slow to import, rarely needed
        except ImportError:
            raise SandboxUnavailable(_MISSING) from None
        reaches_out = self._limits.gives_network(program)
        try:
            box = await AsyncSandbox.create(
                template=program.template,
                timeout=math.ceil(timeout_s + _INSTALL_S + _GRACE_S),
                allow_internet_access=reaches_out or bool(program.requirements),
            )
            try:
                await self._prepared(box, program, request, reaches_out=reaches_out)
                return await self._called(box, timeout_s=timeout_s)
            finally:
                # It would else be paid for until its own time is over.
                await asyncio.shield(box.kill())
        except (PackagesRefused, TimeoutError):
            raise
        except Exception as error:
            # What the SDK raises has no class in common, and it says so too where it is cancelled.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            said = f"{type(error).__name__}: {error}"[:_MOST_TOLD]
            raise SandboxUnavailable(f"The remote sandbox failed: {said}") from error

    async def _prepared(
        self, box: "AsyncSandbox", program: Program, request: Json, *, reaches_out: bool
    ) -> None:
        if program.requirements:
            await self._installed(box, program)
            if not reaches_out:
                await box.update_network({"deny_out": [_EVERYWHERE]})
        files = cast("Any", box.files)  # What it writes is untyped in the SDK.
        await files.write(_INSIDE, _packed())
        await files.write(_REQUEST, json.dumps(request).encode("utf-8", "surrogatepass"))

    async def _installed(self, box: "AsyncSandbox", program: Program) -> None:
        from e2b import CommandExitException  # noqa: PLC0415 -- as above

        quiet = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
        lines = sorted({PYTHON.line(one) for one in program.requirements})
        pip = ("python3", "-m", "pip", "install", *quiet, "--target", _PACKAGES, "--", *lines)
        try:
            await _run(box, pip, timeout_s=_INSTALL_S)
        except CommandExitException as error:
            told = error.stderr.strip()[-_MOST_TOLD:]
            raise PackagesRefused(f"Its packages could not be installed: {told}") from error

    async def _called(self, box: "AsyncSandbox", *, timeout_s: float) -> Json:
        terms = json.dumps({"limits": limits_of(self._limits, "python")})
        command = ("python3", "-I", "-c", _MAIN, terms, str(timeout_s))
        return cast("Json", json.loads(await _run(box, command, timeout_s=timeout_s + _GRACE_S)))


async def _run(box: "AsyncSandbox", command: Sequence[str], *, timeout_s: float) -> str:
    """Run a command and return what it says; to be cancelled is to end the machine.

    The SDK is not cancelled itself: it would leave a failure that nobody hears of.
    """
    running = asyncio.ensure_future(box.commands.run(shlex.join(command), timeout=timeout_s))
    try:
        return (await asyncio.shield(running)).stdout
    except asyncio.CancelledError:
        await box.kill()
        await asyncio.gather(running, return_exceptions=True)
        raise


def _packed() -> bytes:
    """Return the code that runs calls, as Python imports it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(Path(inside.__file__).parent.glob("*.py")):
            archive.write(path, f"inside/{path.name}")
    return packed.getvalue()
