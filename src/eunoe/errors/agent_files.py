"""Files that hold an agent."""

from eunoe.errors.kinds import Invalid


class AgentFileInvalid(Invalid):
    """The file is not an agent file that can be read; nothing of it was stored."""

    code = "agent_file_invalid"


class AgentFileTooLarge(Invalid):
    """The file holds more than one import may bring; nothing of it was stored."""

    code = "agent_file_too_large"
