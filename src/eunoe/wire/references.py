"""What a body names: agents by what they may be called, all else by id, each of its own kind."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from eunoe.domain.names import is_name
from eunoe.ids import pattern


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError("a name holds letters, digits, spaces, hyphens, _ and ' only")
    return text


AgentName: TypeAlias = Annotated[str, AfterValidator(_named)]
AgentId: TypeAlias = Annotated[str, Field(pattern=pattern("agent"))]
BlockId: TypeAlias = Annotated[str, Field(pattern=pattern("block"))]
FolderId: TypeAlias = Annotated[str, Field(pattern=pattern("folder"))]
IdentityId: TypeAlias = Annotated[str, Field(pattern=pattern("identity"))]
MessageId: TypeAlias = Annotated[str, Field(pattern=pattern("message"))]
ToolId: TypeAlias = Annotated[str, Field(pattern=pattern("tool"))]
