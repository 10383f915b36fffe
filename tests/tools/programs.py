"""Programs for tests, and a sandbox to run them in."""

import textwrap
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from eunoe.domain.messages import Json
from eunoe.tools.programs import MEBIBYTE, Limits, Program, Ran, Requirement
from eunoe.tools.sandbox import Sandbox

LIMITS: Final = Limits(timeout_s=20, memory_bytes=256 * MEBIBYTE)


def program(
    source: str,
    *,
    function: str = "act",
    environment: Mapping[str, str] | None = None,
    requirements: tuple[Requirement, ...] = (),
    network: bool | None = None,
    timeout_s: float | None = None,
    agent_state: Json | None = None,
) -> Program:
    return Program(
        name=function,
        function=function,
        source=textwrap.dedent(source),
        schema={"type": "object", "properties": {}},
        environment=environment or {},
        requirements=requirements,
        network=network,
        timeout_s=timeout_s,
        agent_id="agent-1",
        agent_state=agent_state,
    )


async def run(sandbox: Sandbox, source: str, **arguments: object) -> Ran:
    return await sandbox.run(program(source), arguments=arguments)


@asynccontextmanager
async def sandboxed(folder: Path, limits: Limits = LIMITS) -> AsyncGenerator[Sandbox]:
    async with Sandbox.opened(folder, limits=limits) as sandbox:
        yield sandbox
