"""What a route is given: the running server, and who acts."""

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, TypeAlias, TypeVar

from fastapi import Depends, Header, Request

from eunoe.domain.agents import AgentType
from eunoe.domain.runs import Busy
from eunoe.errors import Invalid, Missing
from eunoe.http.sse import KEEPALIVE_S
from eunoe.http.token_gate import ACTOR_KEY, CALLER_KEY
from eunoe.ids import is_id
from eunoe.llm.brought import BroughtProviders, OrganizationModels
from eunoe.llm.registry import Registry
from eunoe.runs.mcp_calls import McpCalls
from eunoe.runs.runner import Runner
from eunoe.runs.surroundings import Executors, no_executor
from eunoe.service.images import ImageFetcher
from eunoe.service.models import Defaults
from eunoe.store import agents, users
from eunoe.store.db import Actor, Database, Tx
from eunoe.tools.mcp_offer import McpOffer
from eunoe.tools.sandbox import Sandbox

T = TypeVar("T")

_TYPES_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The parts of a running server, made by `app` and closed by it."""

    db: Database
    registry: Registry
    brought: BroughtProviders
    runner: Runner
    images: ImageFetcher
    mcp: McpCalls
    version: str
    offer: McpOffer | None = None
    """What MCP clients are served with, at `/mcp`."""
    default_model: str | None = None
    default_embedding: str | None = None
    keepalive_s: float = KEEPALIVE_S
    busy: Busy = "reject"
    """What becomes of a message to a list at work where the request does not say."""
    executors: Executors = no_executor
    """Who runs custom tools, for each organization."""
    sandbox: Sandbox | None = None
    """Where they run; null where custom code is not run at all."""
    agent_types: OrderedDict[tuple[str, str], AgentType] = field(
        default_factory=OrderedDict[tuple[str, str], AgentType]
    )
    """The types of the agents last asked for: a type never changes, so it is read once."""

    def models_of(self, actor: Actor) -> OrganizationModels:
        """Return the models that the actor can name."""
        return self.brought.of(actor.organization_id)

    @property
    def defaults(self) -> Defaults:
        """The handles that count where a caller names none."""
        return Defaults(model=self.default_model, embedding=self.default_embedding)


def given(shape: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """Return the dependency that fills `shape` with a request's parameters.

    FastAPI hands whatever is not a coroutine to a thread, which costs more than the whole of it.
    """

    async def read(**values: object) -> T:
        return shape(**values)

    read.__signature__ = inspect.signature(shape)
    return read


async def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep: TypeAlias = Annotated[Runtime, Depends(_runtime)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the server that is asked."""

    runtime: Runtime
    actor: Actor

    @property
    def db(self) -> Database:
        return self.runtime.db

    @property
    def organization_id(self) -> str:
        return self.actor.organization_id

    @property
    def models(self) -> OrganizationModels:
        """The models that the caller can name."""
        return self.runtime.models_of(self.actor)

    @property
    def defaults(self) -> Defaults:
        return self.runtime.defaults

    def read(self, *, long: bool = False) -> AbstractAsyncContextManager[Tx]:
        """Open a snapshot of the caller's data."""
        return self.db.read(self.actor, long=long)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction that changes the caller's data."""
        return self.db.write(self.actor)


UserId: TypeAlias = Annotated[
    str | None,
    Header(convert_underscores=False, description="The acting user; absent, the default user."),
]


async def caller(request: Request, user_id: UserId = None) -> Caller:
    """Return who acts (api 1.10): a malformed id is refused, an unknown one is the default user.

    Who brings a key or an access token acts as the user it is of.
    """
    runtime: Runtime = request.app.state.runtime
    known: Actor | None = request.scope.get(ACTOR_KEY)
    if known is not None or user_id is None:
        return Caller(runtime, known or Actor())
    if not is_id("user", user_id):
        raise Invalid("The header user_id is not a user id of the form user-{uuid4}.")
    # Who brings a key here administers the server, and names somebody else.
    actor = replace(await users.acting(runtime.db, user_id), key_id=request.scope.get(CALLER_KEY))
    return Caller(runtime, actor)


Me: TypeAlias = Annotated[Caller, Depends(caller)]


async def agent_type(me: Caller, agent_id: str) -> AgentType:
    """Return the type of an agent; raise `Missing` for an unknown or foreign one."""
    known, key = me.runtime.agent_types, (me.actor.organization_id, agent_id)
    found = known.get(key)
    if found is None:
        async with me.read() as tx:
            found = await agents.type_of(tx, agent_id)
        if found is None:
            raise Missing(f"There is no agent {agent_id}.")
        known[key] = found
        if len(known) > _TYPES_KEPT:
            known.popitem(last=False)
    return found
