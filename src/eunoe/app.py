"""The composition root: settings in, a running server out.

Nothing else reads settings or knows all the parts; what the parts need of each
other they are given here.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    nullcontext,
)
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Final, TypeAlias

from fastapi import FastAPI

from eunoe import telemetry
from eunoe.domain.agents import Agent
from eunoe.domain.tools import Tool
from eunoe.http.api import Policy, build_api
from eunoe.http.deps import Runtime
from eunoe.http.telling import Telling
from eunoe.llm.brought import BroughtProviders
from eunoe.llm.connection import Timeouts
from eunoe.llm.local_catalog import DEFAULT_CHAT, DEFAULT_EMBEDDING
from eunoe.llm.local_files import is_present
from eunoe.llm.local_source import LocalProvider
from eunoe.llm.prices import Prices, read_prices
from eunoe.llm.providers import ProviderConfig, providers_from
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint, Source
from eunoe.runs.batches import Batches
from eunoe.runs.callbacks import Callbacks
from eunoe.runs.deadlines import Deadlines
from eunoe.runs.file_search import StoreFiles
from eunoe.runs.mcp_calls import McpCalls
from eunoe.runs.outbound import Outbound
from eunoe.runs.ports import Providers, Toolboxes
from eunoe.runs.recall import StoreRecall
from eunoe.runs.retention import Retention
from eunoe.runs.runner import Runner
from eunoe.runs.schedules import Schedules
from eunoe.runs.surroundings import Executors, StoreSurroundings, no_executor
from eunoe.runs.traces import tracing
from eunoe.service import mcp_servers
from eunoe.service.images import ImageFetcher
from eunoe.service.ingest import Ingest
from eunoe.service.mcp_deeds import deeds
from eunoe.service.pending import PendingPassages
from eunoe.service.providers import loader
from eunoe.service.sandboxes import executors_of
from eunoe.service.users import equip
from eunoe.settings import Settings
from eunoe.store.database import open_database, upgrade
from eunoe.store.db import Actor, Database
from eunoe.store.sealing import Sealer, sealer_of
from eunoe.tools.catalog import AgentToolbox, ToolFunction
from eunoe.tools.custom import CustomTools
from eunoe.tools.mcp_addresses import Hosts
from eunoe.tools.mcp_offer import McpOffer
from eunoe.tools.mcp_sessions import McpSessions
from eunoe.tools.peers import Peers
from eunoe.tools.programs import Limits
from eunoe.tools.sandbox import Sandbox
from eunoe.tools.sandbox_remote import RemoteSandbox, remote
from eunoe.tools.web import Web

VERSION: Final = version("eunoe")


Around: TypeAlias = Callable[[Runner], AbstractContextManager[None]]


def create_app(
    settings: Settings,
    *,
    functions: Mapping[str, ToolFunction] | None = None,
    around: Around | None = None,
) -> FastAPI:
    """Return the server as an ASGI application; it opens when it is started.

    `functions` are tools of the embedding program, run in this process for agents
    that have a tool of that name attached. `around` is entered while the server is open.
    """
    password = settings.password

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Runtime]:
        async with open_runtime(settings, functions=functions or {}) as runtime:
            with around(runtime.runner) if around is not None else nullcontext():
                yield runtime

    return build_api(
        opened,
        version=VERSION,
        policy=Policy(
            password=None if password is None else password.get_secret_value(),
            require_key=settings.require_key,
            cors_origins=settings.cors_origins,
            body_limit=settings.max_body_bytes,
            body_timeout_s=settings.body_timeout_s,
            rate_per_minute=settings.rate_per_minute,
            rate_burst=settings.rate_burst,
        ),
    )


@asynccontextmanager
async def open_runtime(
    settings: Settings, *, functions: Mapping[str, ToolFunction]
) -> AsyncGenerator[Runtime]:
    """Open database, providers and workers; close them in the opposite order.

    Raises `DatabaseUnreachable` or `DatabaseNewer` before anything is served.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    providers = providers_from(settings.provider_values)
    sealer = sealing(settings)
    async with AsyncExitStack() as stack:
        stack.callback(_watched(settings))
        telemetry.record_readiness("warming")
        db = await open_database(settings.database_url, sealer=sealer)
        stack.push_async_callback(db.close)
        await upgrade(db)
        await equip(db, [function.tool for function in functions.values()])
        registry = Registry(_sources(settings, providers))
        stack.push_async_callback(registry.aclose)
        brought = BroughtProviders(
            registry,
            load=loader(db),
            timeouts=_timeouts(settings),
            private=_private(settings, settings.byok_private_hosts),
        )
        stack.push_async_callback(brought.aclose)
        images = ImageFetcher()
        stack.push_async_callback(images.close)
        sandbox = await stack.enter_async_context(_sandbox(settings))
        executors = executors_of(db, sandbox)
        sessions = McpSessions(hosts=_hosts(settings))
        stack.push_async_callback(sessions.close)
        mcp = McpCalls(db=db, sessions=sessions)
        sessions.on_change(partial(mcp_servers.heard_of_change, db, mcp))
        boxes = toolboxes(
            db, functions, models=brought, executors=executors, mcp=mcp, web=_web(stack, settings)
        )
        runner = Runner(
            db,
            models=brought,
            toolboxes=boxes,
            retention=Retention(
                events=timedelta(hours=settings.event_retention_hours),
                audit=timedelta(days=settings.audit_retention_days),
            ),
            grace_s=settings.shutdown_grace_s,
            trace=tracing(settings.secrets) if settings.provider_traces else None,
            prices=Prices(read_prices(settings.prices)),
        )
        _undertake(stack, db, runner, settings)
        runner.undertake(Ingest(db=db, models=brought).duty())
        runner.undertake(PendingPassages(db=db, models=brought).duty())
        stack.push_async_callback(runner.stop)
        await runner.start()
        offer = McpOffer(
            deeds(db, runner, lambda actor: brought.of(actor.organization_id)), version=VERSION
        )
        stack.push_async_callback(offer.close)
        local = _local_defaults(settings, providers)
        watch = asyncio.create_task(telemetry.watch_event_loop())
        stack.callback(watch.cancel)
        telemetry.record_readiness("ready")
        stack.callback(telemetry.record_readiness, "draining")
        yield Runtime(
            db=db,
            registry=registry,
            brought=brought,
            runner=runner,
            images=images,
            mcp=mcp,
            offer=offer,
            version=VERSION,
            default_model=settings.default_model or local.get("chat"),
            default_embedding=settings.default_embedding or local.get("embedding"),
            keepalive_s=settings.keepalive_s,
            busy=settings.when_busy,
            executors=executors,
            sandbox=sandbox if isinstance(sandbox, Sandbox) else None,
        )


def sealing(settings: Settings) -> Sealer:
    """Return what seals the secrets of this server; the first start makes its key."""
    return sealer_of(settings.encryption_keys, folder=settings.data_dir)


@asynccontextmanager
async def _sandbox(settings: Settings) -> AsyncGenerator[Sandbox | RemoteSandbox]:
    """Yield where custom tools run; whether that can be had is found out beside, and logged."""
    limits = Limits(
        timeout_s=settings.tool_timeout_s,
        memory_bytes=settings.tool_memory_bytes,
        network=settings.tool_network,
        private_network=settings.tool_private_network,
        unsandboxed=settings.tools_unsandboxed,
    )
    folder = settings.data_dir / "sandbox"
    elsewhere = remote(settings.sandbox, settings.provider_values, limits=limits)
    local = Sandbox.opened(folder, limits=limits, hidden=(settings.data_dir,))
    async with local if elsewhere is None else aclosing(elsewhere) as sandbox:
        trial = asyncio.create_task(sandbox.tried())
        try:
            yield sandbox
        finally:
            trial.cancel()


def _undertake(stack: AsyncExitStack, db: Database, runner: Runner, settings: Settings) -> None:
    """Give the runner what it does beside the runs."""
    outbound = Outbound(allow_private=settings.callback_private_hosts)
    stack.push_async_callback(outbound.close)
    secret = settings.callback_secret
    telling = Telling(db=db, runner=runner)
    callbacks = Callbacks(
        db=db,
        outbound=outbound,
        told={"run": telling.run, "job": telling.batch, "message": telling.approval},
        secret=None if secret is None else secret.get_secret_value(),
    )
    runner.undertake(callbacks.duty())
    runner.undertake(Batches(db=db, entrance=runner, at_once=settings.batch_concurrency).duty())
    runner.undertake(Schedules(db=db, entrance=runner).duty())
    runner.undertake(Deadlines(db=db, entrance=runner).duty())


def toolboxes(
    db: Database,
    functions: Mapping[str, ToolFunction],
    *,
    models: Providers,
    executors: Executors = no_executor,
    mcp: McpCalls | None = None,
    web: Web | None = None,
) -> Toolboxes:
    def toolbox(
        *,
        actor: Actor,
        agent: Agent,
        tools: tuple[Tool, ...],
        peers: Peers,
        conversation_id: str | None,
    ) -> AgentToolbox:
        served = models.of(actor.organization_id)
        return AgentToolbox(
            agent=agent,
            tools={tool.name: tool for tool in tools},
            recall=StoreRecall(db=db, actor=actor, agent=agent, models=served),
            functions=functions,
            peers=peers,
            custom=CustomTools(
                agent=agent,
                executor=executors(actor),
                surroundings=StoreSurroundings(
                    db=db, actor=actor, agent_id=agent.id, conversation_id=conversation_id
                ),
            ),
            remote=None if mcp is None else partial(mcp.call, actor, agent_id=agent.id),
            files=StoreFiles(db=db, actor=actor, agent=agent, models=served),
            web=web,
        )

    return toolbox


def _web(stack: AsyncExitStack, settings: Settings) -> Web:
    """Return how tools reach the web; a search engine of the operator's may be anywhere."""
    outbound = Outbound(allow_private=settings.tool_private_network)
    trusted = Outbound(allow_private=True)
    for one in (outbound, trusted):
        stack.push_async_callback(one.close)
    return Web(fetch=outbound.fetch, trusted=trusted.fetch, variables=settings.provider_values)


def _hosts(settings: Settings) -> Hosts:
    private = _private(settings, settings.mcp_private_hosts)
    return Hosts(private=private, stdio=settings.mcp_stdio)


def _private(settings: Settings, given: bool | None) -> bool:
    """Return whether callers may name private addresses: of a server for its own machine, yes."""
    return settings.is_local if given is None else given


def _sources(settings: Settings, providers: Sequence[ProviderConfig]) -> list[Source]:
    timeouts = _timeouts(settings)
    endpoints: list[Source] = [Endpoint(provider, timeouts=timeouts) for provider in providers]
    if settings.runs_local(providers):
        endpoints.append(LocalProvider(settings.local_models))
    return endpoints


def _timeouts(settings: Settings) -> Timeouts:
    return Timeouts(silence_s=settings.model_timeout_s)


def _local_defaults(settings: Settings, providers: Sequence[ProviderConfig]) -> dict[str, str]:
    """Return the handles that count where nobody names one: those of the models that run here."""
    if not settings.runs_local(providers):
        return {}
    return {
        one.kind: one.handle
        for one in (DEFAULT_CHAT, DEFAULT_EMBEDDING)
        if is_present(one, settings.local_models)
    }


def _watched(settings: Settings) -> Callable[[], None]:
    """Set logging and telemetry up; return what ends them."""
    telemetry.configure_logging(
        level=settings.log_level,
        format=settings.log_format,
        content=settings.log_content,
        secrets=settings.secrets,
    )
    dsn = settings.sentry_dsn
    telemetry.configure_reports(
        dsn=None if dsn is None else dsn.get_secret_value(),
        version=VERSION,
        environment=settings.environment,
    )
    return telemetry.configure_telemetry(
        endpoint=settings.otlp_endpoint,
        version=VERSION,
        environment=settings.environment,
        content=settings.log_content,
        prometheus=settings.metrics,
    )
