"""Connecting with an MCP server step by step, with a sign-in where it wants one (X48)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

from eunoe.domain.mcp_connections import Progress
from eunoe.domain.mcp_servers import McpServer
from eunoe.domain.messages import Json
from eunoe.errors import EunoeError, McpAuthorizationNeeded, McpTimedOut
from eunoe.runs.mcp_calls import McpCalls
from eunoe.service import mcp_servers
from eunoe.store import mcp_servers as stored
from eunoe.store.db import Actor, Database
from eunoe.tools.mcp_grants import SignIn

WAIT_S: Final = 300.0
"""How long a person has to sign in."""
_LOOK_S: Final = 0.5


async def connect(
    db: Database, calls: McpCalls, actor: Actor, server: McpServer, *, callback: str
) -> AsyncGenerator[Progress]:
    """Yield the steps to a session with the server, the last one a success or an error."""
    yield Progress(event="connection_attempt", message=server.name)
    try:
        if await _answers(db, calls, actor, server):
            yield await _succeeded(db, actor, server)
            return
        yield Progress(event="oauth_required", message="The server wants its user to sign in.")
        async with contextlib.aclosing(_signed_in(db, calls, actor, server, callback)) as steps:
            async for step in steps:
                yield step
        await mcp_servers.refresh(db, calls, actor, server.id)
        yield await _succeeded(db, actor, server)
    except EunoeError as error:
        yield Progress(event="error", message=str(error))


async def answer(db: Database, state: str | None, given: Json) -> bool:
    """Take what a sign-in came to; whether there is one that waits for it."""
    if not state:
        return False
    async with db.write(Actor()) as tx:
        return await stored.answer(tx, state, given)


async def _answers(db: Database, calls: McpCalls, actor: Actor, server: McpServer) -> bool:
    """Read the server's tools; whether that, and calling them, takes no sign-in."""
    async with db.read(actor) as tx:
        granted = await stored.grant(tx, server.id)
    try:
        await mcp_servers.refresh(db, calls, actor, server.id)
    except McpAuthorizationNeeded:
        return False
    return not granted.get("wanted")


async def _succeeded(db: Database, actor: Actor, server: McpServer) -> Progress:
    tools = await mcp_servers.tools_of(db, actor, server.id)
    return Progress(event="success", tools=tuple(tools))


async def _signed_in(
    db: Database, calls: McpCalls, actor: Actor, server: McpServer, callback: str
) -> AsyncGenerator[Progress]:
    """Yield what a person is to be shown, until they are signed in and the grant is stored."""
    shown: asyncio.Queue[Progress] = asyncio.Queue()
    target = calls.target(actor, server, {})

    async def show(address: str, state: str) -> None:
        async with db.write(actor) as tx:
            await stored.await_answer(tx, server.id, state)
        await shown.put(Progress(event="authorization_url", url=address, session_id=state))
        await shown.put(
            Progress(event="waiting_for_auth", message="Visit the address.", session_id=state)
        )

    async def answered(state: str) -> Json:
        try:
            return await _awaited(db, actor, state)
        finally:
            async with db.write(actor) as tx:
                await stored.forget_state(tx, state)

    how = SignIn(callback=callback, show=show, answer=answered)
    task = asyncio.create_task(calls.sessions.sign_in(target, how))
    try:
        while not task.done() or not shown.empty():
            step = asyncio.ensure_future(shown.get())
            await asyncio.wait({task, step}, return_when=asyncio.FIRST_COMPLETED)
            if step.done():
                yield step.result()
            step.cancel()
        granted = await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if target.grants is not None:
        await target.grants.keep(granted)
    await calls.sessions.drop(server.id)


async def _awaited(db: Database, actor: Actor, state: str) -> Json:
    """Return what the sign-in came to; any process of the server may be told of it."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        async with db.read(actor) as tx:
            found = await stored.answered(tx, state)
        if found is not None:
            return found
        await asyncio.sleep(_LOOK_S)
    raise McpTimedOut("Nobody signed in.")
