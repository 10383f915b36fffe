"""From a stored tool of an MCP server to what the server says when it is called."""

from collections.abc import Mapping
from dataclasses import dataclass

from eunoe.domain.mcp_servers import HttpServer, McpServer, resolved
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import McpAuthorizationNeeded, ToolMissing
from eunoe.store import mcp_servers, secrets
from eunoe.store.db import Actor, Database, to_micros
from eunoe.tools.mcp_sessions import McpSessions, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrants:
    """What the acting user was granted by a server; see `mcp_grants.Grants`."""

    db: Database
    actor: Actor
    server_id: str

    async def load(self) -> Json:
        async with self.db.read(self.actor) as tx:
            return await mcp_servers.grant(tx, self.server_id)

    async def keep(self, granted: Json) -> None:
        async with self.db.write(self.actor) as tx:
            await mcp_servers.keep_grant(tx, self.server_id, granted)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpCalls:
    """Calls tools of MCP servers for agents, and for whoever asks over the API."""

    db: Database
    sessions: McpSessions

    async def call(
        self, actor: Actor, tool: Tool, arguments: Json, *, agent_id: str | None = None
    ) -> ToolResult:
        """Call a tool on behalf of an agent, if of any. Raises `McpError` and `ToolMissing`."""
        async with self.db.read(actor) as tx:
            owned = await mcp_servers.of_tool(tx, tool.id)
            variables = {} if agent_id is None else await secrets.values_of(tx, agent_id)
        if owned is None:
            raise ToolMissing(f"No MCP server has the tool `{tool.name}` any more.")
        target = self.target(actor, owned.server, variables, agent_id=agent_id)
        try:
            return await self.sessions.call(target, owned.remote_name, arguments)
        except McpAuthorizationNeeded:
            await self._note_wanted(target)
            raise

    async def _note_wanted(self, target: Target) -> None:
        """Remember that a sign-in is wanted: some servers say so only when a tool is called."""
        if target.grants is not None:
            granted = await target.grants.load()
            await target.grants.keep({**granted, "wanted": True})

    def target(
        self,
        actor: Actor,
        server: McpServer,
        variables: Mapping[str, str],
        *,
        agent_id: str | None = None,
    ) -> Target:
        """Return what to speak with: the server as `variables` fill it, for this user."""
        config = resolved(server.config, variables)
        is_remote = isinstance(config, HttpServer)
        return Target(
            server_id=server.id,
            name=server.name,
            revision=to_micros(server.updated_at),
            config=config,
            agent_id=agent_id if is_remote else None,
            user_id=actor.user_id,
            organization_id=actor.organization_id,
            grants=StoredGrants(db=self.db, actor=actor, server_id=server.id)
            if is_remote
            else None,
        )
