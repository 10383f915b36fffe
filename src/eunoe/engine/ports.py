"""What the engine needs of the world. Each is small, and each has a public fake in `testing`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.call_policies import Deadline
from eunoe.domain.edits import MemoryEdit
from eunoe.domain.events import Ending, ModelEvent, RunEvent
from eunoe.domain.files import FileOpening
from eunoe.domain.heartbeats import Aftermath
from eunoe.domain.messages import Json, Message, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Run, Step
from eunoe.domain.tokens import TokensWanted
from eunoe.domain.tools import ToolResult, ToolSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Whether a call is wanted: freely, of any tool, or of the one named."""

    mode: Literal["auto", "required", "none"] = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to a model.

    `messages` starts with the system message and is already cleaned: every call has
    its return, ids are short and plain, there are no lone surrogates.
    """

    config: ModelConfig
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    parallel: bool = False
    stream: bool = True
    """Whether deltas are wanted as they come; false lets an adapter ask for one whole body."""
    response_schema: dict[str, object] | None = None
    user: str | None = None
    tokens: TokensWanted | None = None
    """What is to be told of the reply's tokens; a provider that cannot refuses probabilities."""
    heartbeats: bool = False
    """Whether the loop is one that demands a call of each reply and goes on by heartbeats: what an
    adapter does for such a loop follows from this, never from the agent's type (FIX-67)."""
    words_of_thought: bool = False
    """Whether thoughts are wanted as words before the calls, no argument of a tool taking them:
    an adapter may open a tag for them where the model does not reason by itself (P22)."""
    list_id: str | None = None
    """The message list this is a request of: one list's requests mostly extend each other, so an
    adapter may keep what it encoded of the last one."""


class Model(Protocol):
    """A model that answers. Raises `errors.ModelError`; yields `Finished` only for a whole reply.

    Retries with backoff happen inside, and only before the first event.
    """

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]: ...


@runtime_checkable
class Previewed(Protocol):
    """A model that can also say what it would send, without the address and the keys."""

    async def preview(self, request: ModelRequest) -> Json:
        """Return the body of the provider's request for `request`; nothing is sent."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors, in order, each of the same length. Raises `errors.ModelError`."""

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[tuple[float, ...]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTraits:
    """`parallel` may run beside others, `effectful` acts on the world, `immediate` never waits.

    The start of an effectful call is recorded first, and it is never run again (G-17).
    """

    parallel: bool = False
    effectful: bool = True
    immediate: bool = False
    tool_type: str = "custom"
    tool_id: str = ""


Outcome: TypeAlias = ToolResult | MemoryEdit | FileOpening
"""What a tool gives back: a result, or an edit that the journal applies and turns into one."""


Nested: TypeAlias = Callable[[str, Json], Awaitable[Outcome]]
"""Has a tool called, by name and arguments, by one that is being called itself."""


class Toolbox(Protocol):
    """The tools of one agent. `call` never raises for a tool's own failure: that is a value."""

    def schemas(self) -> tuple[ToolSchema, ...]: ...

    def traits(self, name: str) -> ToolTraits: ...

    async def call(
        self, call: ToolCall, *, arguments: dict[str, object], nested: Nested | None = None
    ) -> Outcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model sees and is made from: the system message, the rest, oldest first."""

    agent: Agent
    system: Message
    messages: tuple[Message, ...]
    blocks: tuple[Block, ...]
    clean: tuple[Message, ...] = ()
    """What is sent for `system` and the first `clean_upto` messages: turns that are closed, so
    that the work done on them is never done again."""
    clean_upto: int = 0
    clean_calls: frozenset[str] = frozenset()
    """The ids of the calls in `clean`, kept since finding them takes all of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One call and what came of it, ready to be stored; `approved` by a person, if it was asked."""

    call: ToolCall
    outcome: Outcome
    approved: bool = False


Follow: TypeAlias = Callable[[Sequence[ToolReturn]], Aftermath]
"""Decides how a turn goes on by what its calls came to."""


class Journal(Protocol):
    """The run's durable memory. Each method is one transaction, guarded by the run's fence.

    `overspent` says whether a budget that counts for the run is spent, and no more may be asked.

    `run` is the run as it is after what is being stored (steps and usage counted).
    Raises `errors.FenceLost` when another process has taken the run over; nothing
    was written then. Those that change the window return it.
    """

    overspent: bool

    async def answered(
        self,
        run: Run,
        *,
        step: Step,
        said: Sequence[Message],
        events: Sequence[RunEvent],
        ending: Ending | None,
        deadline: Deadline | None = None,
    ) -> Window:
        """Checkpoint A: the model's reply, its step and, where the run ends here, its end.

        `said` is the reply, nothing where there is none, and what is answered to it at once.
        A reply that asks may have a `deadline`, after which it is answered without a person.
        """
        ...

    async def calls_started(self, run: Run, calls: Sequence[ToolCall]) -> None:
        """Record that these effectful calls are about to run."""
        ...

    async def call_ended(self, run: Run, call: ToolCall, result: ToolResult) -> None:
        """Record the result of an effectful call while others of its reply are still to run."""
        ...

    async def settled(
        self,
        run: Run,
        *,
        step: Step | None,
        settled: Sequence[Settled],
        ending: Ending | None,
        follow: Follow | None = None,
        reply: Message | None = None,
        events: Sequence[RunEvent] = (),
    ) -> tuple[Window, Ending | None]:
        """Checkpoint B: results in call order and what they change; and the end, if it came.

        With a `reply`, and the `events` that show it, it is checkpoint A too: its calls were
        `immediate`, so that no time has passed in between.

        Memory edits are applied to the blocks as they are now, and the system message
        is rebuilt when that changed it. `step` is null when another process made it
        and only its calls were left to do. Without an `ending` it is `follow` that decides,
        once it is known what came of the edits too; what it says is stored with the rest.
        """
        ...

    async def compacted(
        self, run: Run, *, evicted: Sequence[str], summary: Message, events: Sequence[RunEvent]
    ) -> Window:
        """Put `summary` in the place of the messages with the ids `evicted`; they stay stored."""
        ...

    async def ended(self, run: Run, *, step: Step | None, ending: Ending) -> None:
        """End the run with no further message, recording the failed or cancelled step if any."""
        ...


class Emit(Protocol):
    """Takes an event towards the readers; durable within the feed's bound before they see it.

    A sink, not a generator: a slow reader cannot hold the run up.
    """

    def __call__(self, event: RunEvent) -> None: ...
