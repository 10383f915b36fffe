"""Sessions with MCP servers: opened when first needed, shared, and closed when idle.

Whatever a server does is a value or one of our errors within its time: it may be dead, slow,
huge, malformed or change its mind. The SDK is imported when the first session is opened.
"""

import asyncio
import contextlib
import hashlib
import importlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol, TypeVar, cast

import orjson
import structlog

from eunoe.domain.mcp_servers import McpConfig
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolResult
from eunoe.errors import EunoeError, McpTimedOut, McpUnreachable
from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from eunoe.tools.mcp_addresses import Hosts
from eunoe.tools.mcp_grants import Grants, SignIn

T = TypeVar("T")

_MOST_SESSIONS: Final = 128
_PROGRESS_TIMES: Final = 10
"""A call that reports progress may take this many times as long as one that is silent."""
_URL: Final = re.compile(r"(https?://)(?:[^\s'\"/?#@]*@)?([^\s'\"/?#]*)[^\s'\"]*")

_log = structlog.get_logger("eunoe.mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a server may take (X47), and how much it may say."""

    connect_s: float = 30.0
    list_s: float = 30.0
    call_s: float = 60.0
    idle_s: float = 300.0
    fresh_s: float = 10.0
    """An older silence is ended by asking whether the server is still there."""
    message_bytes: int = 16 * 1024 * 1024
    most_tools: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTool:
    """A tool as its server describes it."""

    name: str
    description: str
    schema: object
    idempotent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to speak with: `config` with its templates filled, on behalf of an agent if of any.

    `revision` tells versions of a stored server apart; `grants` has the tokens of its user.
    """

    server_id: str
    name: str
    revision: int
    config: McpConfig
    agent_id: str | None = None
    user_id: str = DEFAULT_USER
    organization_id: str = DEFAULT_ORGANIZATION
    grants: Grants | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What those who share a session have in common, secrets included but not shown."""
        told = orjson.dumps((self.server_id, self.revision, self.config, self.agent_id))
        return hashlib.sha256(told + self.user_id.encode()).hexdigest()


class Connection(Protocol):
    """An open session: what the SDK's client does for us."""

    @property
    def is_open(self) -> bool: ...

    async def check(self) -> None: ...

    async def list_tools(self) -> tuple[RemoteTool, ...]: ...

    async def call(
        self, name: str, arguments: Json, *, progressed: Callable[[], None]
    ) -> ToolResult: ...


class Closed(Exception):
    """The session is over and the request has not been heard."""


@dataclass(slots=True, kw_only=True)
class _Session:
    """One session and the task that keeps it, since it has to be closed where it was opened."""

    key: str
    target: Target
    ready: "asyncio.Future[Connection]"
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None
    users: int = 0
    used_at: float = field(default_factory=monotonic)

    def is_idle(self, for_s: float) -> bool:
        return self.users == 0 and monotonic() - self.used_at >= for_s


class McpSessions:
    """All sessions of this process; `close` ends them and the processes behind them."""

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        limits: Limits | None = None,
        changed: Callable[[Target], Awaitable[None]] | None = None,
    ) -> None:
        self.hosts = hosts or Hosts()
        self.limits = limits or Limits()
        self._changed = changed
        self._sessions: dict[str, _Session] = {}
        self._noticing: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._is_closed = False

    def on_change(self, changed: Callable[[Target], Awaitable[None]]) -> None:
        """Say what is done when a server tells that its tools changed."""
        self._changed = changed

    async def list_tools(self, target: Target) -> tuple[RemoteTool, ...]:
        """Return all tools of a server; raise `McpError`."""
        return await self._asked(target, self._listing)

    async def call(self, target: Target, name: str, arguments: Json) -> ToolResult:
        """Call a tool; a failure that the server tells of is a value. Raises `McpError`."""

        async def call(connection: Connection) -> ToolResult:
            return await self._timed_call(connection, target, name, arguments)

        return await self._asked(target, call)

    async def sign_in(self, target: Target, how: SignIn) -> Json:
        """Let a person sign in; return what they were granted. Raises `EunoeError`.

        `how` says how long is waited for them.
        """
        client = await asyncio.to_thread(importlib.import_module, "eunoe.tools.mcp_client")
        try:
            granted: Json = await client.sign_in(target, how, hosts=self.hosts, limits=self.limits)
        except Exception as error:
            raise _failure(error, target) from error
        return granted

    async def drop(self, server_id: str) -> None:
        """Close the sessions with a server that was changed or removed."""
        await self._end(
            [one for one in self._sessions.values() if one.target.server_id == server_id]
        )

    async def close_all(self) -> None:
        """Close every session there is; new ones can be opened."""
        await self._end(list(self._sessions.values()))

    async def close(self) -> None:
        """Close every session, for good."""
        self._is_closed = True
        tasks = list(self._noticing)
        if self._sweeper is not None:
            tasks.append(self._sweeper)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.close_all()

    async def _asked(self, target: Target, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask over the session there is; over a new one where that has ended unheard."""
        for attempt in (1, 2):
            session = await self._session(target)
            session.users += 1
            try:
                return await ask(await self._opened(session))
            except Closed:
                await self._end([session])
                if attempt == 2:  # noqa: PLR2004 -- the last of them
                    raise McpUnreachable(
                        f"The MCP server {target.name} closed the session."
                    ) from None
            finally:
                session.users -= 1
                session.used_at = monotonic()
        raise AssertionError

    async def _opened(self, session: _Session) -> Connection:
        """Return the open connection; one that was silent for long has to answer first."""
        connection = await asyncio.shield(session.ready)
        if session.users == 1 and monotonic() - session.used_at > self.limits.fresh_s:
            try:
                async with asyncio.timeout(self.limits.connect_s):
                    await connection.check()
            except (EunoeError, TimeoutError) as error:
                raise Closed from error
        return connection

    async def _listing(self, connection: Connection) -> tuple[RemoteTool, ...]:
        try:
            async with asyncio.timeout(self.limits.list_s):
                return await connection.list_tools()
        except TimeoutError as error:
            raise McpTimedOut from error

    async def _timed_call(
        self, connection: Connection, target: Target, name: str, arguments: Json
    ) -> ToolResult:
        limit_s = self.limits.call_s
        loop = asyncio.get_running_loop()
        last = loop.time() + limit_s * _PROGRESS_TIMES
        try:
            async with asyncio.timeout(limit_s) as timeout:

                def progressed() -> None:
                    if not timeout.expired():
                        timeout.reschedule(min(loop.time() + limit_s, last))

                return await connection.call(name, arguments, progressed=progressed)
        except TimeoutError as error:
            raise McpTimedOut(
                f"The MCP server {target.name} did not answer within {limit_s:g} s."
            ) from error

    async def _session(self, target: Target) -> _Session:
        """Return the session there is, or a new one that is being opened."""
        key = target.key
        while (found := self._sessions.get(key)) is not None:
            if _is_usable(found):
                return found
            await self._end([found])
        if self._is_closed:
            raise McpUnreachable("The server is shutting down.")
        room = self._room()
        session = _Session(key=key, target=target, ready=asyncio.get_running_loop().create_future())
        # A session that nobody waits for any more has nobody to tell of its failure.
        session.ready.add_done_callback(lambda ready: ready.exception())
        self._sessions[key] = session
        session.task = asyncio.create_task(self._keep(session), name=f"mcp {target.name}")
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="mcp idle sessions")
        await self._end(room)
        return session

    def _room(self) -> list[_Session]:
        """Return the session to close where there are too many: what was idle longest."""
        if len(self._sessions) < _MOST_SESSIONS:
            return []
        idle = [one for one in self._sessions.values() if one.is_idle(0)]
        if not idle:
            raise McpUnreachable("Too many MCP sessions are in use at once; try again later.")
        return [min(idle, key=lambda one: one.used_at)]

    async def _keep(self, session: _Session) -> None:
        """Open the session, and close it when it is to end. Never raises."""
        target = session.target
        try:
            client = await asyncio.to_thread(importlib.import_module, "eunoe.tools.mcp_client")
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(self.limits.connect_s):
                    opened = client.connection(
                        target,
                        hosts=self.hosts,
                        limits=self.limits,
                        changed=lambda: self._notice(target),
                    )
                    connection = await stack.enter_async_context(opened)
                session.ready.set_result(connection)
                await session.leave.wait()
        except TimeoutError:
            _fail(session, McpTimedOut(f"The MCP server {target.name} did not answer in time."))
        except EunoeError as error:
            _fail(session, error)
        except Exception as error:  # noqa: BLE001 -- whatever a foreign server makes the SDK raise
            _fail(session, _failure(error, target))
        finally:
            self._forget(session)

    async def _end(self, sessions: list[_Session]) -> None:
        """End sessions, and wait until their processes are gone."""
        for session in sessions:
            self._forget(session)
            session.leave.set()
            if not session.ready.done() and session.task is not None:
                session.task.cancel()
                # Those who wait for it are not cancelled: they may open another.
                _fail(session, Closed())
        tasks = [session.task for session in sessions if session.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, session: _Session) -> None:
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]

    async def _sweep(self) -> None:
        """Close what has been idle for long."""
        while True:
            await asyncio.sleep(min(self.limits.idle_s, 30.0))
            idle = [one for one in self._sessions.values() if one.is_idle(self.limits.idle_s)]
            await self._end(idle)

    def _notice(self, target: Target) -> None:
        """Let the tools of a server that says they changed be read again, once at a time."""
        if self._changed is None or self._is_closed or len(self._noticing) >= _MOST_SESSIONS:
            return
        name = f"mcp changed {target.server_id}"
        if any(task.get_name() == name for task in self._noticing):
            return
        task = asyncio.create_task(self._noticed(target), name=name)
        self._noticing.add(task)
        task.add_done_callback(self._noticing.discard)

    async def _noticed(self, target: Target) -> None:
        # Servers tell of each tool that they add; the last of it is what counts.
        await asyncio.sleep(1.0)
        if self._changed is None:
            return
        try:
            await self._changed(target)
        except EunoeError as error:
            _log.info("mcp.refresh_failed", server=target.name, code=error.code)


def _is_usable(session: _Session) -> bool:
    """Whether a session is being opened or is open; one whose server is gone is neither."""
    if not session.ready.done():
        return True
    if session.ready.exception() is not None:
        return False
    return session.ready.result().is_open


def _fail(session: _Session, error: Exception) -> None:
    if not session.ready.done():
        session.ready.set_exception(error)


def _failure(error: BaseException, target: Target) -> EunoeError:
    """Return what a failure means, the innermost of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, EunoeError):
        return error
    # A path may be a secret of the agent's, as a query may (X46).
    told = _URL.sub(r"\1\2", f"{type(error).__name__}: {error}").partition("\n")[0][:300]
    _log.info("mcp.session_failed", server=target.name, error=told)
    return McpUnreachable(f"The MCP server {target.name} cannot be reached: {told}")
