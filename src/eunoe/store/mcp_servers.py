"""Queries on MCP servers, on which tools are theirs, and on the grants of their users.

A configuration is sealed whole: a URL or an argument may hold a secret as well as a header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from eunoe import ids
from eunoe.domain.mcp_servers import McpConfig, McpServer
from eunoe.domain.messages import Json
from eunoe.errors import McpServerNameTaken
from eunoe.store import codec, own
from eunoe.store.db import Tx, UniqueViolated, among, now_micros
from eunoe.store.mapping import CHANGED, NAME, Kept, mapped

_config: Final = codec.Reader(cast("type[McpConfig]", McpConfig))
_SERVERS: Final = mapped(
    McpServer,
    "mcp_servers",
    noun="MCP server",
    kept={
        "name": NAME,
        **CHANGED,
        "config": Kept(
            write=codec.encode, read=_config.validate_json, suffix="_sealed", sealed=True
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A tool of a server: the server, and what it calls the tool."""

    server: McpServer
    remote_name: str


async def insert(tx: Tx, server: McpServer) -> None:
    """Store a server; raise `McpServerNameTaken`."""
    try:
        await own.insert(tx, _SERVERS, server)
    except UniqueViolated as error:
        raise McpServerNameTaken(name=server.name) from error


async def update(tx: Tx, server: McpServer) -> bool:
    """Replace the server with this id; raise `McpServerNameTaken`. Whether there is one."""
    try:
        return await own.update(tx, _SERVERS, server, but=("created_by_id", "created_at"))
    except UniqueViolated as error:
        raise McpServerNameTaken(name=server.name) from error


async def get(tx: Tx, server_id: str, *, held: bool = False) -> McpServer | None:
    """Return a server; `held` keeps others from changing it, and its tools, until the commit."""
    return await own.get(tx, _SERVERS, server_id, held=held)


async def by_name(tx: Tx, name: str) -> McpServer | None:
    return await own.first(
        tx, _SERVERS, "WHERE organization_id = $1 AND name = $2", tx.actor.organization_id, name
    )


async def all_of(tx: Tx) -> list[McpServer]:
    """Return the servers of the organization, the oldest first."""
    tail = "WHERE organization_id = $1 ORDER BY created_at, id"
    return await own.select(tx, _SERVERS, tail, tx.actor.organization_id)


async def delete(tx: Tx, server_id: str) -> bool:
    """Remove a server with its tools, their attachments and its grants; whether there was one."""
    await tx.execute(
        "DELETE FROM tools WHERE organization_id = $2 AND id IN"
        " (SELECT tool_id FROM mcp_tools WHERE server_id = $1)",
        server_id,
        tx.actor.organization_id,
    )
    return await own.delete(tx, "mcp_servers", server_id)


async def remote_names(tx: Tx, server_id: str) -> dict[str, str]:
    """Return the ids of the server's tools, by what the server calls them."""
    rows = await tx.fetch(
        "SELECT mcp_tools.remote_name, mcp_tools.tool_id FROM mcp_tools JOIN mcp_servers"
        " ON mcp_servers.id = mcp_tools.server_id"
        " WHERE mcp_tools.server_id = $1 AND mcp_servers.organization_id = $2"
        " ORDER BY mcp_tools.remote_name",
        server_id,
        tx.actor.organization_id,
    )
    return {row[0]: row[1] for row in rows}


async def of_tools(tx: Tx, tool_ids: Sequence[str]) -> list[McpServer]:
    """Return the servers whose tools these are, each once, by name."""
    return await own.select(
        tx,
        _SERVERS,
        "WHERE mcp_servers.organization_id = $1"
        " AND mcp_servers.id IN (SELECT mcp_tools.server_id FROM mcp_tools"
        f" WHERE mcp_tools.tool_id {among(tx, '$2')}) ORDER BY mcp_servers.name",
        tx.actor.organization_id,
        codec.encode(list(tool_ids)),
    )


async def claim_tools(tx: Tx, server_id: str, names: Mapping[str, str]) -> None:
    """Note that tools are the server's; `names` gives the id of each by the server's name."""
    await tx.execute_many(
        "INSERT INTO mcp_tools (tool_id, server_id, remote_name) VALUES ($1, $2, $3)"
        " ON CONFLICT (tool_id) DO NOTHING",
        [(tool_id, server_id, name) for name, tool_id in names.items()],
    )


async def delete_tools(tx: Tx, tool_ids: Sequence[str]) -> None:
    """Remove tools and their attachments."""
    await tx.execute(
        f"DELETE FROM tools WHERE organization_id = $1 AND id {among(tx, '$2')}",
        tx.actor.organization_id,
        codec.encode(list(tool_ids)),
    )


async def of_tool(tx: Tx, tool_id: str) -> Owned | None:
    """Return whose tool it is."""
    row = await tx.fetch_one(
        f"SELECT {_SERVERS.columns}, mcp_tools.remote_name FROM mcp_tools JOIN mcp_servers"
        " ON mcp_servers.id = mcp_tools.server_id"
        " WHERE mcp_tools.tool_id = $1 AND mcp_servers.organization_id = $2",
        tool_id,
        tx.actor.organization_id,
    )
    return None if row is None else Owned(server=_SERVERS.read(tx, row), remote_name=row[-1])


# Grants of users


async def grant(tx: Tx, server_id: str) -> Json:
    """Return what the acting user was granted by the server; nothing is an empty object."""
    sealed = await tx.fetch_value(
        "SELECT grant_sealed FROM mcp_oauth_sessions"
        " WHERE server_id = $1 AND user_id = $2 AND organization_id = $3",
        server_id,
        tx.actor.user_id,
        tx.actor.organization_id,
    )
    return {} if sealed is None else codec.loads(tx.sealer.open(sealed))


async def keep_grant(tx: Tx, server_id: str, granted: Json) -> None:
    """Store what the acting user was granted, in place of what was before."""
    sealed = tx.sealer.seal(codec.encode(granted))
    await _noted(tx, server_id, "grant_sealed", sealed)


async def await_answer(tx: Tx, server_id: str, state: str) -> None:
    """Note that the acting user is signing in, and that the answer will name `state`."""
    await _noted(tx, server_id, "state", state, also=" answer_sealed = NULL,")


async def _noted(tx: Tx, server_id: str, column: str, value: str, *, also: str = "") -> None:
    """Store something of the acting user's session with a server of the organization."""
    await tx.execute(
        f"INSERT INTO mcp_oauth_sessions (id, organization_id, server_id, user_id, {column},"
        " created_at, updated_at) SELECT $1, organization_id, id, $2, $3, $4, $4"
        " FROM mcp_servers WHERE id = $5 AND organization_id = $6 ON CONFLICT (server_id, user_id)"
        f" DO UPDATE SET {column} = excluded.{column},{also} updated_at = excluded.updated_at",
        ids.new("mcp_oauth"),
        tx.actor.user_id,
        value,
        now_micros(),
        server_id,
        tx.actor.organization_id,
    )


async def answer(tx: Tx, state: str, given: Json) -> bool:
    """Store the answer to the sign-in that `state` names, once; whether there is such a one.

    The state is a secret of its own, so that this is the one query outside an organization.
    """
    return bool(
        await tx.execute(
            "UPDATE mcp_oauth_sessions SET answer_sealed = $1, updated_at = $2"
            " WHERE state = $3 AND answer_sealed IS NULL",
            tx.sealer.seal(codec.encode(given)),
            now_micros(),
            state,
        )
    )


async def answered(tx: Tx, state: str) -> Json | None:
    """Return the answer to the sign-in that `state` names, null while there is none."""
    sealed = await tx.fetch_value(
        "SELECT answer_sealed FROM mcp_oauth_sessions WHERE state = $1 AND organization_id = $2",
        state,
        tx.actor.organization_id,
    )
    return None if sealed is None else codec.loads(tx.sealer.open(sealed))


async def forget_state(tx: Tx, state: str) -> None:
    """Let the sign-in be over, so that nobody can answer it any more."""
    await tx.execute(
        "UPDATE mcp_oauth_sessions SET state = NULL, answer_sealed = NULL"
        " WHERE state = $1 AND organization_id = $2",
        state,
        tx.actor.organization_id,
    )
