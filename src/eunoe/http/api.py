"""The HTTP application: every route, in front of a runtime that is opened when it starts."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from eunoe.http import document, errors
from eunoe.http.auth import PasswordGate
from eunoe.http.deps import Runtime
from eunoe.http.intake import DEFAULT_BODY_LIMIT, DEFAULT_BODY_TIMEOUT_S, Intake
from eunoe.http.observed import Observed
from eunoe.http.origins import PageGate
from eunoe.http.rates import Rates
from eunoe.http.repeats import Repeats
from eunoe.http.routes import (
    access_tokens,
    admin,
    agent_files,
    agents,
    archives,
    audit,
    batches,
    blocks,
    call_policies,
    completions,
    conversation_messages,
    conversations,
    costs,
    environments,
    file_blocks,
    folders,
    groups,
    health,
    identities,
    jobs,
    keys,
    mcp_offer,
    mcp_servers,
    message_search,
    messages,
    metrics,
    models,
    openai,
    passages,
    previews,
    providers,
    responses,
    runs,
    sandboxes,
    schedules,
    steps,
    tags,
    templates,
    tools,
    voice,
)
from eunoe.http.token_gate import TokenGate

OpenRuntime = Callable[[], AbstractAsyncContextManager[Runtime]]

# What is asked most often is looked up first; a fixed path stands before one with an id in it.
_ROUTERS: Final[Sequence[APIRouter]] = (
    message_search.router,
    messages.router,
    conversation_messages.router,
    agent_files.router,
    agents.router,
    blocks.of_agent,
    tools.of_agent,
    passages.of_agent,
    archives.of_agent,
    file_blocks.router,
    groups.of_agent,
    identities.of_agent,
    previews.of_agent,
    previews.of_conversation,
    schedules.of_agent,
    call_policies.of_agent,
    runs.router,
    conversations.router,
    blocks.router,
    identities.of_block,
    mcp_servers.callback,
    tools.router,
    archives.router,
    mcp_servers.router,
    folders.router,
    folders.sources,
    folders.embeddings,
    passages.router,
    message_search.everywhere,
    batches.router,
    messages.everywhere,
    steps.router,
    steps.telemetry,
    models.router,
    providers.router,
    completions.router,
    responses.router,
    openai.router,
    voice.router,
    tags.router,
    groups.router,
    identities.router,
    access_tokens.router,
    sandboxes.router,
    jobs.router,
    templates.router,
    environments.router,
    admin.router,
    keys.router,
    audit.router,
    costs.router,
    costs.of_budgets,
    health.router,
    metrics.router,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may send what: whether a password or a key is wanted, from which pages, how much.

    `rate_per_minute` bounds what each key may ask for, in each process; null bounds nothing.
    """

    password: str | None = None
    require_key: bool = False
    cors_origins: tuple[str, ...] = ()
    body_limit: int = DEFAULT_BODY_LIMIT
    body_timeout_s: float = DEFAULT_BODY_TIMEOUT_S
    rate_per_minute: int | None = None
    rate_burst: int | None = None


def build_api(open_runtime: OpenRuntime, *, version: str, policy: Policy | None = None) -> FastAPI:
    """Return the application; `open_runtime` is entered at start-up and left at shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_runtime() as runtime:
            app.state.runtime = runtime
            yield

    app = FastAPI(
        title="Eunoe",
        version=version,
        summary="A server for stateful agents that speaks the Letta V1 API.",
        lifespan=lifespan,
        strict_content_type=False,
    )
    app.router.routes.extend(route for router in _ROUTERS for route in router.routes)
    policy = policy or Policy()
    app.router.routes.append(mcp_offer.route(policy.cors_origins))
    document.install(app)
    errors.install(app)
    _guard(app, policy)
    return app


def _guard(app: FastAPI, policy: Policy) -> None:
    """Put up what a request passes; the last one added is the first it meets."""
    if policy.rate_per_minute is not None:
        burst = policy.rate_burst or policy.rate_per_minute
        app.add_middleware(Rates, per_minute=policy.rate_per_minute, burst=burst)
    app.add_middleware(Repeats)
    app.add_middleware(TokenGate)
    app.add_middleware(Intake, limit=policy.body_limit, timeout_s=policy.body_timeout_s)
    if policy.password is not None or policy.require_key:
        app.add_middleware(PasswordGate, password=policy.password)
    else:
        app.add_middleware(PageGate, origins=policy.cors_origins)
    if policy.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=policy.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
        )
    app.add_middleware(Observed)
