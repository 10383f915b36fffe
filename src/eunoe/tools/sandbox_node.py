"""Which Node runs tools in TypeScript, and how a call of one is put to it (FIX-57)."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final

from eunoe.domain.messages import Json
from eunoe.errors import NodeMissing
from eunoe.tools.programs import Program

_OLDEST: Final = (22, 13)
"""The first that both takes types away and has a permission model under its lasting name."""
_NETWORK_ASKED: Final = (25, 0)
_TRIAL_S: Final = 10.0


def node() -> Path | None:
    """Return the Node on the server's PATH."""
    found = shutil.which("node")
    return None if found is None else Path(found).resolve()


async def node_options(program: Path | None, *, memory_bytes: int) -> list[str]:
    """Return how that Node is told to run tools; raise `NodeMissing` for none, or an old one."""
    if program is None:
        raise NodeMissing
    process = await asyncio.create_subprocess_exec(
        program, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), _TRIAL_S)
    found = re.match(rb"v(\d+)\.(\d+)", said)
    if found is None or (version := (int(found[1]), int(found[2]))) < _OLDEST:
        raise NodeMissing(f"{NodeMissing.__doc__} There is {said.decode().strip()}.")
    heap = memory_bytes * 3 // 4 // (1024 * 1024)
    network = ["--allow-net"] if version >= _NETWORK_ASKED else []
    types = ["--no-warnings", "--experimental-transform-types"]
    return [*types, "--permission", *network, f"--max-old-space-size={heap}"]


def by_place(program: Program, arguments: Json) -> list[object]:
    """Return the arguments as the function takes them: required ones first, as the schema says."""
    required = list(program.schema.get("required") or ())
    others = [name for name in program.schema.get("properties") or () if name not in required]
    return [arguments.get(name) for name in (*required, *others)]
