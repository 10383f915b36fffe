"""Tokens for client-side applications, which see some agents and nothing else (25.3)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import access_tokens
from eunoe.store import access_tokens as stored
from eunoe.wire.access_tokens import AccessToken, AccessTokens, CreateAccessTokenBody, access_token

router = v1("/client-side-access-tokens", tag="access tokens")


@router.post("", **answers("create_access_token", AccessToken, status=201))
async def create(body: CreateAccessTokenBody, me: Me) -> Response:
    """Make a token; its text is in this answer alone."""
    text, made = await access_tokens.create(
        me.db, me.actor, hostname=body.hostname, grants=body.grants(), expires_at=body.expires_at
    )
    return JsonReply(access_token(made, text=text), status=201)


@router.get("", **answers("list_access_tokens", AccessTokens))
async def list_all(
    me: Me,
    agent_id: Annotated[str | None, Query(alias="agentId")] = None,
    limit: Annotated[float, Query(ge=1, le=1000)] = 10,
    offset: Annotated[float, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List the tokens that have not expired, the newest first, by their ids."""
    async with me.read() as tx:
        found = await stored.list_tokens(
            tx, agent_id=agent_id, at=datetime.now(UTC), limit=int(limit) + 1, offset=int(offset)
        )
    shown = [access_token(one) for one in found[: int(limit)]]
    return JsonReply({"tokens": shown, "hasNextPage": len(found) > len(shown)})


@router.delete("/{token}", operation_id="delete_access_token", status_code=204)
async def delete(token: str, me: Me) -> Response:
    """Revoke a token, named by its text or its id."""
    await access_tokens.revoke(me.db, me.actor, token)
    return Response(status_code=204)
