"""The packages that custom code imports: each set is installed once and then read-only."""

import asyncio
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eunoe.errors import PackagesRefused
from eunoe.tools.programs import Requirement
from eunoe.tools.sandbox_bubblewrap import interpreter

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._,\s-]+\])?")
_CLAUSE: Final = re.compile(r"\s*(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+\s*")
_NPM_NAME: Final = re.compile(r"(?:@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*")
_NPM_VERSION: Final = re.compile(r"(?:[\^~]|[<>]?=|[<>])?[A-Za-z0-9*][A-Za-z0-9.*+-]*")
_INSTALL_S: Final = 600.0
MOST_SETS: Final = 64
_IN_USE_S: Final = 3600.0
"""No call of a tool, and no installation, takes as long."""
_MOST_TOLD: Final = 600
_PASSED_ON: Final = (
    "UV_",
    "NPM_CONFIG_",
    "SSL_CERT_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
"""Beginnings of the variables that the installer needs of the server's; it gets no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """How a requirement is written, and the command that installs such lines under a folder."""

    version: str
    line: Callable[[Requirement], str]
    command: Callable[[Sequence[str], Path], list[str]]


class Packages:
    """Installs sets of packages under a folder.

    Nothing of a package runs when it is installed: only built ones (wheels) are taken, and the
    scripts of npm's are passed over. A set says by its time when it was used last, to all processes
    that have the folder: with more than `MOST_SETS` go those that nobody used for an hour.
    """

    def __init__(self, folder: Path, installer: Installer) -> None:
        self._folder = folder
        self._installer = installer
        self._locks: dict[str, asyncio.Lock] = {}

    async def having(self, requirements: Sequence[Requirement]) -> Path | None:
        """Return the folder with these packages, null for none; those who want it wait for one.

        Raises `PackagesRefused` with what the installer says against it.
        """
        if not requirements:
            return None
        lines = sorted({self._installer.line(one) for one in requirements})
        key = hashlib.sha256(json.dumps([self._installer.version, lines]).encode()).hexdigest()[:32]
        place = self._folder / key
        async with self._locks.setdefault(key, asyncio.Lock()):
            try:
                os.utime(place)
            except FileNotFoundError:
                await self._install(lines, place)
                await asyncio.to_thread(self._make_room)
        return place

    async def remove_all(self) -> None:
        """Forget what is installed, so that it is installed anew."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _make_room(self) -> None:
        """Remove the sets that were used the longest ago, and what an ended process left aside."""
        until = time.time() - _IN_USE_S
        ages: list[tuple[float, Path]] = []
        for place in self._folder.iterdir():
            with suppress(FileNotFoundError):  # Another process makes room, too.
                ages.append((place.stat().st_mtime, place))
        by_age = sorted(ages)
        sets = [place for _, place in by_age if not place.name.startswith(".")]
        too_many = set(sets[: max(0, len(sets) - MOST_SETS)])
        for used_at, place in by_age:
            if used_at < until and (place in too_many or place.name.startswith(".")):
                # At once gone for whoever wants it: it is installed anew.
                with suppress(OSError):
                    gone = place.rename(self._folder / f".old-{place.name}-{time.time_ns()}")
                    shutil.rmtree(gone, ignore_errors=True)

    async def _install(self, lines: Sequence[str], place: Path) -> None:
        """Install aside and move into place, so that a set is there as a whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=self._folder, prefix=".new-"))
        try:
            await _run(self._installer.command(lines, aside))
            await asyncio.to_thread(_publish, aside, place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _publish(aside: Path, place: Path) -> None:
    aside.chmod(0o755)
    # Another process may have been faster; its set is the same.
    if not place.is_dir():
        aside.rename(place)


def _line(requirement: Requirement) -> str:
    """Return the requirement as installers read it, and never as an option of theirs."""
    name, version = requirement.name.strip(), (requirement.version or "").strip()
    if _NAME.fullmatch(name) is None:
        raise PackagesRefused(f"`{name}` is not the name of a package.")
    if version and version[0] not in "=~!<>":
        version = f"=={version}"
    if version and not all(_CLAUSE.fullmatch(clause) for clause in version.split(",")):
        raise PackagesRefused(f"`{version}` is not a version of the package `{name}`.")
    # In one line, whoever reads it.
    return "".join(f"{name}{version}".split())


def _command(lines: Sequence[str], target: Path) -> list[str]:
    installer = shutil.which("uv") or _brought_along()
    if installer is None:
        raise PackagesRefused(
            "This server cannot install packages for tools: its operator has to install `uv`."
        )
    return [
        *(installer, "pip", "install", "--quiet", "--no-progress", "--only-binary", ":all:"),
        *("--python", str(interpreter()), "--target", str(target), "--link-mode", "copy"),
        *("--", *lines),
    ]


PYTHON: Final = Installer(
    version=f"{sys.implementation.cache_tag}-{sys.platform}", line=_line, command=_command
)


def _npm_line(requirement: Requirement) -> str:
    name, version = requirement.name.strip(), (requirement.version or "latest").strip()
    if _NPM_NAME.fullmatch(name) is None:
        raise PackagesRefused(f"`{name}` is not the name of a package.")
    if _NPM_VERSION.fullmatch(version) is None:
        raise PackagesRefused(f"`{version}` is not a version of the package `{name}`.")
    return f"{name}@{version}"


def _npm_command(lines: Sequence[str], target: Path) -> list[str]:
    installer = shutil.which("npm")
    if installer is None:
        raise PackagesRefused(
            "This server cannot install packages for TypeScript tools: its operator has to install "
            "`npm`."
        )
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    return [installer, "install", "--prefix", str(target), *quiet, "--", *lines]


NPM: Final = Installer(version=sys.platform, line=_npm_line, command=_npm_command)


def _brought_along() -> str | None:
    """Return the installer that lies beside this interpreter, if there is one."""
    beside = Path(sys.executable).parent / "uv"
    if importlib.util.find_spec("uv") is None or not os.access(beside, os.X_OK):
        return None
    return str(beside)


async def _run(command: Sequence[str]) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON)
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", ""), **environment},
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), _INSTALL_S)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise PackagesRefused("Its packages could not be installed in time.") from error
        raise
    if process.returncode:
        told = said.decode(errors="replace").strip()[-_MOST_TOLD:]
        raise PackagesRefused(f"Its packages could not be installed: {told}")
