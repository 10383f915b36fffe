"""A server of tools that speaks the Model Context Protocol: where it is, and what it is told.

Texts of a configuration may hold `{{ NAME }}` or `{{ NAME | default }}`, filled from the
variables of the agent that calls (X46).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from eunoe.domain.messages import Json
from eunoe.domain.origins import Stored
from eunoe.domain.tools import Tool

HttpKind: TypeAlias = Literal["sse", "streamable_http"]

AUTHORIZATION: Final = "Authorization"
MASK: Final = "********"
"""What stands for a secret that is stored; sent back, it means that nothing changes."""
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Z_][A-Z0-9_]*)\s*(?:\|([^{}]*))?\}\}")
_QUOTES: Final = " \t'\":"


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioServer:
    """A command that is run on this machine and spoken to through its pipes."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """A server behind a URL. `custom_headers` win over what the token makes (X45)."""

    kind: HttpKind
    url: str
    auth_header: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    custom_headers: Mapping[str, str] | None = field(default=None, repr=False)


McpConfig: TypeAlias = StdioServer | HttpServer


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer(Stored):
    id: str
    name: str
    config: McpConfig


def server_name(tool: Tool) -> str | None:
    """Return the name of the server whose tool this is, null for one of none."""
    told = tool.metadata.get("mcp")
    name = cast("Json", told).get("server_name") if isinstance(told, dict) else None
    return name if tool.tool_type == "external_mcp" and isinstance(name, str) else None


def served_by(tool: Tool, server_id: str | None) -> Tool:
    """Return the tool of a server with the server's id, or without one."""
    told = {**tool.metadata["mcp"], "server_id": server_id}
    return replace(tool, metadata={**tool.metadata, "mcp": told})


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with its placeholders filled; as it is where one of them has no value (X46)."""
    lacking = False

    def value(found: re.Match[str]) -> str:
        nonlocal lacking
        name, default = found[1], found[2]
        if name in variables:
            return variables[name]
        if default is not None:
            return default.strip(_QUOTES)
        lacking = True
        return found[0]

    made = _PLACEHOLDER.sub(value, text)
    return text if lacking else made


def resolved(config: McpConfig, variables: Mapping[str, str]) -> McpConfig:
    """Return the configuration with the variables of whoever calls filled in."""
    match config:
        case StdioServer():
            return replace(config, env=_filled_values(config.env, variables))
        case HttpServer():
            token = config.auth_token
            return replace(
                config,
                url=filled(config.url, variables),
                auth_token=None if token is None else filled(token, variables),
                custom_headers=_filled_values(config.custom_headers, variables),
            )


def headers_of(server: HttpServer) -> dict[str, str]:
    """Return the headers that a server is asked with (X45)."""
    headers: dict[str, str] = {}
    if server.auth_token:
        name = server.auth_header or AUTHORIZATION
        token = server.auth_token
        if name.lower() == AUTHORIZATION.lower() and " " not in token:
            token = f"Bearer {token}"
        headers[name] = token
    for name, value in (server.custom_headers or {}).items():
        for given in [given for given in headers if given.lower() == name.lower()]:
            del headers[given]
        headers[name] = value
    return headers


def bare(server: McpServer) -> McpServer:
    """Return a server as anybody may read of it: where it is, and nothing that it is told.

    An argument may be a secret, and so may what a URL holds beside its host and path.
    """
    match server.config:
        case StdioServer(command=command):
            config: McpConfig = StdioServer(command=command)
        case HttpServer(kind=kind, url=url):
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            url = urlunsplit((parts.scheme, host, parts.path, "", ""))
            config = HttpServer(kind=kind, url=url)
    return replace(server, config=config)


def masked(config: McpConfig) -> McpConfig:
    """Return the configuration as it may be shown to whoever did not just set it (api 16.3.3).

    A value that is a placeholder alone is no secret and stays readable.
    """
    match config:
        case StdioServer():
            return replace(config, env=_masked_values(config.env))
        case HttpServer():
            return replace(
                config,
                auth_token=None if config.auth_token is None else _masked(config.auth_token),
                custom_headers=_masked_values(config.custom_headers),
            )


def moved(config: McpConfig, stored: McpConfig) -> McpConfig:
    """Return `config` without what is masked in it where its URL is another than that `stored`.

    What was told to one address is for no other to hear (api 16.3.3).
    """
    match config, stored:
        case HttpServer(), HttpServer() if config.url != stored.url:
            token, headers = config.auth_token, config.custom_headers or {}
            return replace(
                config,
                auth_token=None if token == MASK else token,
                custom_headers={it: value for it, value in headers.items() if value != MASK}
                or None,
            )
        case _:
            return config


def unmasked(config: McpConfig, stored: McpConfig) -> McpConfig:
    """Return `config` with what is masked in it as it is `stored`."""
    match config, stored:
        case StdioServer(), StdioServer():
            return replace(config, env=_unmasked_values(config.env, stored.env))
        case HttpServer(), HttpServer():
            is_masked = config.auth_token == MASK
            headers = _unmasked_values(config.custom_headers, stored.custom_headers)
            token = stored.auth_token if is_masked else config.auth_token
            return replace(config, auth_token=token, custom_headers=headers)
        case _:
            return config


def _filled_values(
    values: Mapping[str, str] | None, variables: Mapping[str, str]
) -> dict[str, str] | None:
    if values is None:
        return None
    return {name: filled(value, variables) for name, value in values.items()}


def _masked(value: str) -> str:
    return value if _PLACEHOLDER.fullmatch(value.removeprefix("Bearer ").strip()) else MASK


def _masked_values(values: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if values is None else {name: _masked(value) for name, value in values.items()}


def _unmasked_values(
    values: Mapping[str, str] | None, stored: Mapping[str, str] | None
) -> dict[str, str] | None:
    if values is None:
        return None
    kept = stored or {}
    return {
        name: kept.get(name, value) if value == MASK else value for name, value in values.items()
    }
