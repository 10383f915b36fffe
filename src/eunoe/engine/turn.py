"""One run while it goes on, and the world as it sees it."""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eunoe.domain.costs import Price
from eunoe.domain.messages import Message
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Run
from eunoe.domain.tool_rules import History
from eunoe.domain.tools import ToolResult
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.compact import Speaker
from eunoe.engine.dialects import Dialect
from eunoe.engine.ports import Emit, Journal, Model, Toolbox, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The world as one turn sees it."""

    model: Model
    summariser: Speaker
    toolbox: Toolbox
    journal: Journal
    emit: Emit
    dialect: Dialect
    cancellation: Cancellation
    now: Callable[[], datetime]


@dataclass(slots=True, kw_only=True)
class Turn:
    """One run while it goes on. `input_id` is the first message of its input, `user` who asks.

    `history` is what it has called: a compaction may take the calls out of the window.
    `resumed` says that it began with answers to calls, and `owed` that the model has to be
    asked once more, for what was said behind them.
    """

    run: Run
    window: Window
    config: ModelConfig
    input_id: str | None
    user: str | None = None
    ledger: dict[str, ToolResult | None] = field(default_factory=dict[str, ToolResult | None])
    history: History = field(default_factory=History)
    resumed: bool = False
    owed: bool = False
    first_token_ns: int | None = None
    system_override: Message | None = None
    trace_id: str | None = None
    price: Future[Price | None] | None = None
    """What the model costs, once that is found."""

    @property
    def is_spent(self) -> bool:
        """Whether no step is left; acting on answers was one of them (L50, FIX-3)."""
        steps = self.run.step_count + (1 if self.resumed else 0)
        return steps >= self.run.options.max_steps and not self.owed
