"""Tools, their sources and their calls."""

from eunoe.errors.kinds import Conflict, Invalid, Missing, Unavailable


class ToolMissing(Missing):
    """No tool with this name is attached."""

    code = "tool_missing"


class ToolNameTaken(Invalid):
    """Another tool has this name; choose another name or change that tool."""

    code = "tool_name_taken"


class ToolNameReserved(Conflict):
    """A tool that was not made from source has this name; choose another name."""

    code = "tool_name_reserved"


class ToolNameInvalid(Invalid):
    """A tool's name is 1 to 64 letters, digits, `_` and `-`; models are told no other."""

    code = "tool_name_invalid"


class ToolArgumentsInvalid(Invalid):
    """The arguments of the tool call are not valid."""

    code = "tool_arguments_invalid"


class ToolSchemaInvalid(Invalid):
    """The JSON Schema given for the tool is not one of a function's arguments."""

    code = "tool_schema_invalid"


class ToolSourceInvalid(Invalid):
    """The source of the tool cannot be read; correct it and send it again."""

    code = "tool_source_invalid"


class ToolFunctionMissing(Invalid):
    """The source has no function at its top level; write the tool as `def name(…):`."""

    code = "tool_function_missing"


class ToolDocstringMissing(Invalid):
    """The tool's function has no docstring; models are told by it what the tool does."""

    code = "tool_docstring_missing"


class ToolArgumentUnclear(Invalid):
    """An argument of the tool's function lacks what models must be told of it."""

    code = "tool_argument_unclear"


class ToolTypeUnsupported(Invalid):
    """An argument has a type that cannot be written as JSON; use a simpler one."""

    code = "tool_type_unsupported"


class SandboxUnavailable(Unavailable):
    """No sandbox can be made on this machine, so no custom code is run; see `eunoe doctor`."""

    code = "sandbox_unavailable"
    heals = False


class PackagesRefused(Invalid):
    """The packages that a tool asks for cannot be installed; correct their names and versions."""

    code = "packages_refused"


class SearchUnavailable(Unavailable):
    """No search engine is set up: set EXA_API_KEY, TAVILY_API_KEY or SEARXNG_URL."""

    code = "search_unavailable"
    heals = False


class SearchFailed(Unavailable):
    """The search engine did not answer with results."""

    code = "search_failed"


class NodeMissing(Unavailable):
    """Tools in TypeScript need Node 22.13 or newer as `node` on the server's PATH."""

    code = "node_missing"
    heals = False
