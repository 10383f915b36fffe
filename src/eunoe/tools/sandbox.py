"""Where custom code runs: warm sandboxes, one for each set of packages, and a fork for each call.

The way in is `Sandbox.run`; what a call comes to, its failure included, is a value (FIX-54).
"""

import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import structlog

from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import NodeMissing, PackagesRefused, SandboxUnavailable
from eunoe.tools import inside
from eunoe.tools.programs import MEBIBYTE, RESULT_BYTES, Language, Limits, Program, Ran
from eunoe.tools.sandbox_bubblewrap import (
    NODE,
    PACKAGES,
    REMEDY,
    SHARED,
    bubblewrap,
    refusal,
    shared_folders,
    walls,
)
from eunoe.tools.sandbox_node import by_place, node, node_options
from eunoe.tools.sandbox_packages import NPM, PYTHON, Packages
from eunoe.tools.sandbox_results import ran, refused
from eunoe.tools.sandbox_system import nameservers, write_system_files
from eunoe.tools.sandbox_zygote import Zygote

_CALLS_AT_ONCE: Final = 32
_CALLING_AT_ONCE: Final = 8
_MOST_ZYGOTES: Final = 8
_OUTPUT_BYTES: Final = 256 * 1024
_ANSWER_BYTES: Final = 64 * MEBIBYTE
_RESERVED_BYTES: Final[Mapping[Language, int]] = {"python": 0, "typescript": 512 * MEBIBYTE}
"""What a runtime lays claim to, beside what it uses."""
_SCRATCH_FILES: Final = 10_000
_OPEN_FILES: Final = 256
_WARMED: Final = ("async", "pydantic")
"""Words of a source that wants more than an interpreter: to load it would cost a call 90 ms."""
_WARMING: Final = """
from pydantic import BaseModel, Field

class Warming(BaseModel):
    field: int = Field(0)
"""
_TRIAL_S: Final = 10.0
_GRACE_S: Final = 10.0
_ALWAYS: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 -- a file system of the call's own
    "LANG": "C.UTF-8",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "TERM": "dumb",
}
"""What each call finds in its environment, beside what is declared for it (X30)."""

_log = structlog.get_logger("eunoe.sandbox")


class _Kind(NamedTuple):
    """What the programs of one zygote have in common."""

    packages: Path | None = None
    network: bool = False
    language: Language = "python"
    warm: bool = False
    """Whether what most tools do without is loaded: a fork costs by what there is to copy."""
    installed: int = 0
    """Which folder that is: one that was removed and installed anew is another."""


@dataclass(slots=True)
class _Place:
    """One zygote, made when it is first needed."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    zygote: Zygote | None = None
    used: int = 0


class Sandbox:
    """Runs programs. `opened` makes one; it ends with everything that runs in it."""

    kind: SandboxType = "local"

    def __init__(self, folder: Path, *, limits: Limits, hidden: Sequence[Path] = ()) -> None:
        self._folder = folder
        self._limits = limits
        self._hidden = (folder, *hidden)
        self._program = bubblewrap() if sys.platform == "linux" else None
        self._places: dict[_Kind, _Place] = {}
        self._room = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._calling_room = asyncio.Semaphore(_CALLING_AT_ONCE)
        self._packages = Packages(folder / "packages", PYTHON)
        self._npm_packages = Packages(folder / "npm", NPM)
        self._node = node()
        self._options: list[str] = []
        self._clock = 0
        self._walled = True
        self._is_closed = False

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, folder: Path, *, limits: Limits, hidden: Sequence[Path] = ()
    ) -> AsyncGenerator["Sandbox"]:
        """Yield a sandbox that starts its first interpreter when there is a call for it."""
        sandbox = cls(folder, limits=limits, hidden=hidden)
        try:
            yield sandbox
        finally:
            await sandbox.close()

    async def tried(self) -> str | None:
        """Find out whether a sandbox can be made and log why not; return it, or null."""
        reason = await self.why_not()
        if reason is not None and self._limits.unsandboxed:
            _log.warning("tools_unsandboxed", reason=reason, rights="those of this server")
        elif reason is not None:
            _log.error("tools_refused", reason=reason, remedy=REMEDY)
        return reason

    async def why_not(self) -> str | None:
        """Make a sandbox around a program that does nothing; return what is against it, or null."""
        try:
            walls = await asyncio.to_thread(self._walls, _Kind())
            process = await asyncio.create_subprocess_exec(
                *(*walls, "true"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await asyncio.wait_for(process.communicate(), _TRIAL_S)
        except SandboxUnavailable as error:
            return str(error)
        except (OSError, TimeoutError) as error:
            return refusal(f"{type(error).__name__}: {error}")
        return refusal(said.decode(errors="replace")) if process.returncode else None

    async def forget_packages(self) -> None:
        """Have the packages of tools installed anew when they are needed next."""
        for key in [key for key in self._places if key.packages is not None]:
            gone = self._places.pop(key).zygote
            if gone is not None:
                await gone.close()
        await self._packages.remove_all()
        await self._npm_packages.remove_all()

    async def run(
        self,
        program: Program,
        *,
        arguments: Json,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Ran:
        """Run the program with the variables, over which its own win (X30). Never raises for it."""
        limits = self._limits
        timeout_s = limits.time_of(program)
        request = request_of(program, arguments, variables, timeout_s=timeout_s)
        # Calls that a program makes are never in the way of itself.
        async with self._room if program.call is None else self._calling_room:
            try:
                packages = await self._installed(program)
                options = await self._node_options(program)
                kind = _Kind(
                    packages,
                    limits.gives_network(program),
                    program.language,
                    program.language == "python" and _wants_more(program),
                    0 if packages is None else packages.stat().st_ino,
                )
                zygote = await self._zygote(kind)
                there = PACKAGES if self._walled else str(packages)
                request["paths"] = [] if packages is None else [there]
                if program.language == "typescript":
                    request["node"] = NODE if self._walled else str(self._node)
                    request["node_options"] = options
                    request["by_place"] = by_place(program, arguments)
                async with asyncio.timeout(timeout_s + _GRACE_S):
                    answer = await zygote.call(
                        request, timeout_s=timeout_s, most_bytes=_ANSWER_BYTES, made=program.call
                    )
            except TimeoutError:
                return refused(program, f"it was not over after {timeout_s:g} s")
            except (SandboxUnavailable, NodeMissing, PackagesRefused) as error:
                return refused(program, str(error))
        return ran(program, answer, limits)

    async def _installed(self, program: Program) -> Path | None:
        match program.language:
            case "python":
                return await self._packages.having(program.requirements)
            case "typescript":
                return await self._npm_packages.having(program.npm_requirements)

    async def _node_options(self, program: Program) -> list[str]:
        if program.language == "typescript" and not self._options:
            memory = self._limits.memory_bytes
            self._options = await node_options(self._node, memory_bytes=memory)
        return self._options

    async def close(self) -> None:
        """End everything in it; a call that is on its way to an interpreter is refused."""
        self._is_closed = True
        places, self._places = self._places, {}
        async with AsyncExitStack() as stack:
            for place in places.values():
                if place.zygote is not None:
                    stack.push_async_callback(place.zygote.close)

    async def _zygote(self, kind: _Kind) -> Zygote:
        """Return the zygote that has the packages, a new one if there is none that lives."""
        place = self._places.setdefault(kind, _Place())
        self._clock += 1
        place.used = self._clock
        async with place.lock:
            if place.zygote is None or not place.zygote.is_alive:
                if place.zygote is not None:
                    await place.zygote.close()
                place.zygote = await self._started(kind)
                await self._retire()
        if self._is_closed:
            await place.zygote.close()
            raise SandboxUnavailable("The sandbox was lost: it is closed.")
        return place.zygote

    async def _started(self, kind: _Kind) -> Zygote:
        terms = self._terms(kind)
        try:
            walls = await asyncio.to_thread(self._walls, kind)
            return await Zygote.start(walls, terms=terms)
        except SandboxUnavailable as error:
            if not self._limits.unsandboxed:
                raise SandboxUnavailable(
                    f"{error} Custom code is not run without one. The operator can {REMEDY}, or "
                    "set EUNOE_TOOLS_UNSANDBOXED=true."
                ) from error
        self._walled = False
        bare = {**terms, "walled": False, "paths": shared_folders()}
        return await Zygote.start((), terms=bare, inside=Path(inside.__file__).parents[1])

    def _walls(self, kind: _Kind) -> list[str]:
        if self._program is None:
            raise SandboxUnavailable(refusal("bubblewrap is missing"))
        return walls(
            self._program,
            system_files=write_system_files(self._folder / "system"),
            packages=kind.packages,
            node=self._node if kind.language == "typescript" else None,
            network=kind.network,
            hidden=self._hidden,
        )

    def _terms(self, kind: _Kind) -> Json:
        limits = self._limits
        # Packages may hold another version of what is loaded, and then theirs counts.
        more = _WARMING if kind.packages is None else ""
        return {
            "network": kind.network,
            "paths": [SHARED],
            "warming": f"import asyncio{more}" if kind.warm else "",
            "allowed": {
                "private": limits.private_network,
                "places": [[host, 53] for host in nameservers()],
            },
            "limits": limits_of(limits, kind.language),
        }

    async def _retire(self) -> None:
        """End the zygotes that were used the longest ago, as long as there are too many."""
        by_age = sorted(self._places.items(), key=lambda item: item[1].used)
        idle = [key for key, place in by_age if place.zygote is not None and not place.zygote.calls]
        for key in idle[: max(0, len(self._places) - _MOST_ZYGOTES)]:
            gone = self._places.pop(key).zygote
            if gone is not None:
                await gone.close()


def _wants_more(program: Program) -> bool:
    """Whether a source of the program names what only some interpreters have loaded."""
    sources = (program.source, *program.libraries.values())
    return any(word in source for word in _WARMED for source in sources)


def request_of(
    program: Program, arguments: Json, variables: Mapping[str, str], *, timeout_s: float
) -> Json:
    """Return what the code that runs a call is told of it."""
    own = {} if program.agent_id is None else {"LETTA_AGENT_ID": program.agent_id}
    return {
        "name": program.name,
        "function": program.function,
        "source": program.source,
        "libraries": dict(program.libraries),
        "tools": dict(program.tools),
        "arguments": arguments,
        "agent_state": program.agent_state,
        "agent_id": program.agent_id,
        "environment": {**_ALWAYS, **own, **variables, **program.environment},
        "cpu_s": math.ceil(timeout_s) + 1,
    }


def limits_of(limits: Limits, language: Language) -> dict[str, int]:
    return {
        "memory_bytes": limits.memory_bytes,
        "data_bytes": limits.memory_bytes + _RESERVED_BYTES[language],
        "scratch_bytes": limits.scratch_bytes,
        "scratch_files": _SCRATCH_FILES,
        "processes": limits.processes,
        "open_files": _OPEN_FILES,
        "output_bytes": _OUTPUT_BYTES,
        "result_bytes": RESULT_BYTES,
        "cpu_s": math.ceil(limits.timeout_s) + 1,
    }
