"""Custom tools as programs: what an executor is given to run, and what comes back.

The server never runs a tool's source itself. Whatever does stands behind `Executor`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from eunoe.domain.messages import Image, Json, Text
from eunoe.domain.sandboxes import SandboxType
from eunoe.domain.tools import RETURN_CHAR_LIMIT

MEBIBYTE: Final = 1024 * 1024
RESULT_BYTES: Final = 8 * MEBIBYTE
Language: TypeAlias = Literal["python", "typescript"]

Call: TypeAlias = Callable[[str, Json], Awaitable[Json]]
"""Has a tool called for a program: `{"ok": …, "output": …}`, whatever it comes to."""

_NOT_ENABLED: Final = (
    "Custom code is not enabled on this server, so `{name}` was not run. Its operator can enable "
    "it by starting the server where tools can be run in a sandbox; `eunoe doctor` says what is "
    "missing. Nothing was changed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package that a program imports; without a version, the newest."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A tool's source with all that one call of it may know and use.

    `function` is what is called, a top-level function of the source; `schema` is the JSON Schema
    of its arguments. `environment` holds the variables of this call alone, secrets among them, and
    wins over what the server's sandbox is configured with; null for `network` and `timeout_s`
    leaves them to that configuration. A function that asks for them by name is given `agent_state`
    and `agent_id`, where there is an agent (X27). An argument that is left out and has no default
    is null: optional ones need none (X18).
    """

    name: str
    function: str
    """Empty for a piece of code: its result is `{"results": …}`, the value of a last expression."""
    source: str = field(repr=False)
    language: Language = "python"
    schema: Json
    requirements: tuple[Requirement, ...] = ()
    npm_requirements: tuple[Requirement, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Sources, by the name of the function in each that the code may call."""
    tools: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """The names of the tools that the code may have called by `call`, with their arguments'."""
    call: Call | None = field(default=None, repr=False, compare=False)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    return_char_limit: int = RETURN_CHAR_LIMIT
    template: str | None = None
    """What a sandbox elsewhere is made from."""
    network: bool | None = None
    timeout_s: float | None = None
    agent_id: str | None = None
    agent_state: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may use; the operator's to set.

    `network` is for the tools that ask, for all, or for none; without `private_network` only
    public addresses are reached. `unsandboxed` lets code run without walls where none can be made.
    """

    timeout_s: float = 180.0
    memory_bytes: int = 512 * MEBIBYTE
    scratch_bytes: int = 64 * MEBIBYTE
    processes: int = 64
    network: Literal["off", "asked", "on"] = "asked"
    private_network: bool = False
    unsandboxed: bool = False

    def time_of(self, program: Program) -> float:
        """Return how long the program may take, in seconds."""
        return min(program.timeout_s or self.timeout_s, self.timeout_s)

    def gives_network(self, program: Program) -> bool:
        asked = {"off": False, "asked": bool(program.network), "on": program.network is not False}
        return asked[self.network]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a program came to; its failure is a value, `ok` false and `output` the reason (X3).

    `output` is not cut yet: an object is kept as one, all else is text (X10). `agent_state` is
    the state as the program left it, null where it was given none or left it as it was.
    `fingerprint` tells configurations of the sandbox apart.
    """

    ok: bool
    output: str | Json
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    content: tuple[Text | Image, ...] = ()
    agent_state: Json | None = field(default=None, repr=False)
    fingerprint: str | None = None


class ProgramSandbox(Protocol):
    """Where programs are run: this machine's sandbox, or sandboxes elsewhere.

    All run them alike, with the same limits, results and failures; none of these is raised.
    """

    kind: SandboxType

    async def run(
        self, program: Program, *, arguments: Json, variables: Mapping[str, str] = ...
    ) -> Ran:
        """Run the program with the variables, over which its own win (X30)."""
        ...


class Executor(Protocol):
    """Runs programs on behalf of one organization.

    Never raises for what a program does, nor for a sandbox that cannot be had: both are values.
    Cancelling the call ends the program (FIX-23).
    """

    async def run(self, program: Program, *, arguments: Json) -> Ran: ...


class NoExecutor:
    """Stands where no custom code is run, and says so (FIX-54)."""

    async def run(self, program: Program, *, arguments: Json) -> Ran:
        del arguments
        return Ran(ok=False, output=_NOT_ENABLED.format(name=program.name))
