"""Machines elsewhere that run one program each, and what a provider of them has to offer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from eunoe.domain.sandboxes import SandboxType
from eunoe.errors import PackagesRefused

INSTALL_S: Final = 300.0
MOST_BYTES: Final = 64 * 1024 * 1024
"""What a machine may say in one call."""
MOST_TOLD: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a machine is made for. The commands install packages, and have a network for that."""

    installs: Sequence[Sequence[str]]
    network: bool
    lifetime_s: int
    memory_bytes: int
    template: str | None


class Process(Protocol):
    """A command on a machine."""

    def output(self) -> AsyncIterator[bytes]:
        """Yield what it writes to its standard output, until it ends."""
        ...

    async def send(self, data: bytes) -> None: ...

    async def ended(self) -> tuple[int, str]:
        """Return its status, and what it wrote to its standard error."""
        ...


class Machine(Protocol):
    """A machine of one call."""

    async def prepare(self, order: Order) -> None:
        """See to what was ordered and is not there yet; raise `PackagesRefused` where it fails."""
        ...

    async def start(self, command: Sequence[str], *, timeout_s: float) -> Process: ...

    async def end(self) -> None:
        """End it, with all that runs on it; it would else be paid for until its time is over."""
        ...


class Provider(Protocol):
    """Whoever has machines. Imports its SDK when the first is asked for."""

    kind: SandboxType
    folder: str
    """Where packages are on its machines."""

    def missing(self) -> str | None:
        """Return what has to be there first and is not, or null."""
        ...

    async def make(self, order: Order) -> Machine: ...

    async def close(self) -> None: ...


async def installed(machine: Machine, command: Sequence[str]) -> None:
    """Run a command that installs packages; raise `PackagesRefused` with what it says."""
    process = await machine.start(command, timeout_s=INSTALL_S)
    async for _ in process.output():
        pass
    status, said = await process.ended()
    if status:
        told = said.strip()[-MOST_TOLD:]
        raise PackagesRefused(f"Its packages could not be installed: {told}")
