"""Which Node runs tools in TypeScript, and how a call of one is put to it (FIX-57)."""

import asyncio
import shutil
from pathlib import Path

from eunoe.domain.messages import Json
from eunoe.errors import NodeMissing
from eunoe.tools.inside.node import options
from eunoe.tools.programs import Program


def node() -> Path | None:
    """Return the Node on the server's PATH."""
    found = shutil.which("node")
    return None if found is None else Path(found).resolve()


async def node_options(program: Path | None, *, memory_bytes: int) -> list[str]:
    """Return how that Node is told to run tools; raise `NodeMissing` for none, or an old one."""
    if program is None:
        raise NodeMissing
    try:
        return await asyncio.to_thread(options, str(program), memory_bytes=memory_bytes)
    except ValueError as error:
        raise NodeMissing(f"{NodeMissing.__doc__} {error}") from None


def by_place(program: Program, arguments: Json) -> list[list[object]]:
    """Return the arguments as the function takes them: required ones first, as the schema says.

    Each is a list of it, empty where it is left out: JSON has null, and no `undefined`.
    """
    required = list(program.schema.get("required") or ())
    others = [name for name in program.schema.get("properties") or () if name not in required]
    return [[arguments[name]] if name in arguments else [] for name in (*required, *others)]
