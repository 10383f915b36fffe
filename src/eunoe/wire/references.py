"""What a body names by its id: an id of another kind is refused."""

from typing import Annotated, TypeAlias

from pydantic import Field

from eunoe.ids import pattern

AgentId: TypeAlias = Annotated[str, Field(pattern=pattern("agent"))]
BlockId: TypeAlias = Annotated[str, Field(pattern=pattern("block"))]
FolderId: TypeAlias = Annotated[str, Field(pattern=pattern("folder"))]
IdentityId: TypeAlias = Annotated[str, Field(pattern=pattern("identity"))]
MessageId: TypeAlias = Annotated[str, Field(pattern=pattern("message"))]
ToolId: TypeAlias = Annotated[str, Field(pattern=pattern("tool"))]
