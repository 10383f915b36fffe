"""Ids in paths, checked before a handler runs (api 2.2): a malformed one is 422 with a sample."""

from typing import Annotated, TypeAlias

from fastapi import Path

from eunoe.errors import Invalid
from eunoe.ids import PREFIXES, UUID4, is_id, pattern

AgentId: TypeAlias = Annotated[str, Path(pattern=pattern("agent"))]
ArchiveId: TypeAlias = Annotated[str, Path(pattern=pattern("archive"))]
BlockId: TypeAlias = Annotated[str, Path(pattern=pattern("block"))]
ConversationAddress: TypeAlias = Annotated[
    str,
    Path(
        pattern=f"^(default|{pattern('conversation')[1:-1]}|{pattern('agent')[1:-1]})$",
        description="A conversation's id, an agent's, or `default` beside an agent_id.",
    ),
]
ConversationId: TypeAlias = Annotated[str, Path(pattern=pattern("conversation"))]
FileId: TypeAlias = Annotated[str, Path(pattern=pattern("file"))]
FolderId: TypeAlias = Annotated[str, Path(pattern=pattern("folder"))]
GroupId: TypeAlias = Annotated[str, Path(pattern=pattern("group"))]
IdentityId: TypeAlias = Annotated[str, Path(pattern=pattern("identity"))]
JobId: TypeAlias = Annotated[
    str,
    Path(
        pattern=f"^(?:job|run)-{UUID4}$",
        description="A job's id, or that of a run, which is a job too.",
    ),
]
MessageId: TypeAlias = Annotated[str, Path(pattern=pattern("message"))]
PassageId: TypeAlias = Annotated[str, Path(pattern=pattern("passage"))]
ProviderId: TypeAlias = Annotated[str, Path(pattern=pattern("provider"))]
SandboxId: TypeAlias = Annotated[str, Path(pattern=pattern("sandbox"))]
SandboxVariableId: TypeAlias = Annotated[str, Path(pattern=pattern("sandbox_variable"))]
StepId: TypeAlias = Annotated[str, Path(pattern=pattern("step"))]
ToolId: TypeAlias = Annotated[str, Path(pattern=pattern("tool"))]


def well_formed(text: str, noun: str) -> str:
    """Return an id that its path does not check; a malformed one is `Invalid`, a 400 (api 2.2)."""
    if not is_id(noun, text):
        raise Invalid(f"The id in the path is not of the form {PREFIXES[noun]}-{{uuid4}}.")
    return text
