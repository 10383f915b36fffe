"""MCP servers on the wire (api 16.1)."""

from dataclasses import replace
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from eunoe.domain import mcp_servers as domain
from eunoe.domain.mcp_connections import Progress
from eunoe.domain.mcp_servers import HttpServer, McpConfig, McpServer, StdioServer
from eunoe.domain.messages import Json
from eunoe.errors import Invalid
from eunoe.wire.shape import Strict, shown_as
from eunoe.wire.tools import tool


class CreateStdio(Strict):
    mcp_server_type: Literal["stdio"] = "stdio"
    command: str
    args: list[str]
    env: dict[str, str] | None = None

    def config(self) -> McpConfig:
        return self.made(StdioServer, args=tuple(self.args))


class _CreateHttp(Strict):
    server_url: str
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class CreateStreamableHttp(_CreateHttp):
    mcp_server_type: Literal["streamable_http"] = "streamable_http"

    def config(self) -> McpConfig:
        return self.made(HttpServer, kind="streamable_http", url=self.server_url)


class CreateSse(_CreateHttp):
    mcp_server_type: Literal["sse"] = "sse"

    def config(self) -> McpConfig:
        return self.made(HttpServer, kind="sse", url=self.server_url)


class CreateBody(Strict):
    """A server to be stored; a configuration of no type is told by its fields."""

    server_name: str
    config: CreateStdio | CreateStreamableHttp | CreateSse


class UpdateStdio(Strict):
    mcp_server_type: Literal["stdio"] = "stdio"
    command: str | None
    args: list[str] | None
    env: dict[str, str] | None = None

    def applied(self, stored: McpConfig) -> McpConfig:
        if not isinstance(stored, StdioServer):
            raise _other_type()
        return StdioServer(
            command=stored.command if self.command is None else self.command,
            args=stored.args if self.args is None else tuple(self.args),
            env=self.env if "env" in self.model_fields_set else stored.env,
        )


class _UpdateHttp(Strict):
    server_url: str | None
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None

    def applied(self, stored: McpConfig) -> McpConfig:
        kind = self.model_dump().get("mcp_server_type")
        is_typed = "mcp_server_type" in self.model_fields_set
        if not isinstance(stored, HttpServer) or (is_typed and stored.kind != kind):
            raise _other_type()
        given = self.model_dump(
            include={"auth_header", "auth_token", "custom_headers"}, exclude_unset=True
        )
        url = stored.url if self.server_url is None else self.server_url
        return replace(stored, url=url, **given)


class UpdateStreamableHttp(_UpdateHttp):
    mcp_server_type: Literal["streamable_http"] = "streamable_http"


class UpdateSse(_UpdateHttp):
    mcp_server_type: Literal["sse"] = "sse"


class UpdateBody(Strict):
    server_name: str | None = None
    config: UpdateStdio | UpdateStreamableHttp | UpdateSse

    def applied(self, server: McpServer) -> McpServer:
        """Return the server as it is to be; raise `Invalid` for a configuration of another type.

        What is left out stays, and so does a secret that comes back masked: it is masked in it.
        """
        name = server.name if self.server_name is None else self.server_name
        config = self.config.applied(domain.masked(server.config))
        return replace(server, name=name, config=config)


def _other_type() -> Invalid:
    return Invalid("The type of an MCP server cannot be changed; make another server.")


class Stdio(TypedDict):
    id: str
    mcp_server_type: Literal["stdio"]
    server_name: str
    command: str
    args: list[str]
    env: dict[str, str] | None


class Http(TypedDict):
    id: str
    mcp_server_type: domain.HttpKind
    server_name: str
    server_url: str
    auth_header: str | None
    auth_token: str | None
    custom_headers: dict[str, str] | None


Server: TypeAlias = Stdio | Http


def mcp_server(server: McpServer, *, masked: bool = True) -> Server:
    """Return a server; its secrets are shown to whoever just set them alone (16.3.3)."""
    config = domain.masked(server.config) if masked else server.config
    named = {"id": server.id, "server_name": server.name}
    match config:
        case StdioServer():
            return shown_as(Stdio, config, **named, mcp_server_type="stdio")
        case HttpServer():
            return shown_as(
                Http, config, **named, mcp_server_type=config.kind, server_url=config.url
            )


def progress(step: Progress) -> Json:
    """Return a step of connecting as it stands in the stream, with what it has to say alone."""
    told: Json = {"event": step.event}
    if step.event == "connection_attempt":
        return {**told, "server_name": step.message}
    for name, value in (
        ("message", step.message),
        ("url", step.url),
        ("session_id", step.session_id),
    ):
        if value is not None:
            told[name] = value
    if step.tools is not None:
        told["tools"] = [tool(one) for one in step.tools]
    return told
