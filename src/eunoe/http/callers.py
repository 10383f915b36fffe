"""Who is asking: an SDK of the 1.x line, or anybody else (api 1.12)."""

from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Query, Request

from eunoe.domain.agent_states import Relation
from eunoe.wire.agents import Include, relations

_SDK_AGENTS: Final = ("letta-client/1.", "@letta-ai/letta-client/1.")


async def _is_sdk(request: Request) -> bool:
    """Return whether answers take the 1.x form: relations only where asked for."""
    headers = request.headers
    if "x-stainless-package-version" in headers:
        return True
    agent = headers.get("user-agent")
    return agent is None or agent.startswith(_SDK_AGENTS)


SdkDep: TypeAlias = Annotated[bool, Depends(_is_sdk)]


async def _relations(
    sdk: SdkDep,
    include: Annotated[list[Include] | None, Query()] = None,
    include_relationships: Annotated[list[str] | None, Query(deprecated=True)] = None,
) -> frozenset[Relation]:
    return relations(include or (), include_relationships, sdk=sdk)


RelationsDep: TypeAlias = Annotated[frozenset[Relation], Depends(_relations)]
"""What the caller wants loaded with an agent (api 6.3)."""
