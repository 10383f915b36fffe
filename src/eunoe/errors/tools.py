"""Tools and their calls."""

from eunoe.errors.kinds import Invalid, Missing


class ToolMissing(Missing):
    """No tool with this name is attached."""

    code = "tool_missing"


class ToolNameTaken(Invalid):
    """Another tool has this name; choose another name or change that tool."""

    code = "tool_name_taken"


class ToolArgumentsInvalid(Invalid):
    """The arguments of the tool call are not valid."""

    code = "tool_arguments_invalid"
