"""Servers of tools that speak the Model Context Protocol."""

from eunoe.errors.kinds import Conflict, Denied, EunoeError, Invalid, Missing


class McpServerMissing(Missing):
    """There is no such MCP server; list the servers to see their ids."""

    code = "mcp_server_missing"


class McpServerNameTaken(Conflict):
    """Another MCP server has this name; choose another, or change that server."""

    code = "mcp_server_name_taken"


class McpAddressRefused(Invalid):
    """The address of the MCP server is not one that this server may connect to."""

    code = "mcp_address_refused"


class McpStdioDisabled(Invalid):
    """MCP servers that are commands run on this machine, which its operator has not allowed."""

    code = "mcp_stdio_disabled"


class McpOriginRefused(Denied):
    """A web page of another origin may not say which commands this server runs."""

    code = "mcp_origin_refused"


class McpError(EunoeError):
    """The MCP server failed. Not to be tried again unasked: a call may have done its work."""

    kind = "upstream"
    code = "mcp_error"


class McpUnreachable(McpError):
    """The MCP server cannot be reached, or does not speak the protocol."""

    code = "mcp_connection_error"


class McpTimedOut(McpError):
    """The MCP server did not answer in time."""

    code = "mcp_timeout"


class McpAuthorizationNeeded(McpError):
    """The MCP server wants its user to sign in; connect to it to be given the address."""

    code = "mcp_authorization_needed"


class McpCallRefused(McpError):
    """The MCP server refused the request."""

    code = "mcp_call_refused"
