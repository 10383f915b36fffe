"""The models that the configured providers serve (api 17)."""

from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.wire.models import EmbeddingModel, Model, listed_embedding_model, listed_model

router = v1("/models", tag="models")


@router.get("/", **answers("list_models", list[Model]))
async def list_all(
    me: Me,
    provider_category: Annotated[list[Literal["base", "byok"]] | None, Query()] = None,
    provider_name: str | None = None,
    provider_type: str | None = None,
) -> Response:
    """List the models to speak with; a provider that cannot be reached adds none."""
    shown = map(listed_model, await me.models.models())
    found = [
        one
        for one in shown
        if provider_name in (None, one["provider_name"])
        and provider_type in (None, one["provider_type"])
        and (not provider_category or one["provider_category"] in provider_category)
    ]
    return JsonReply(found)


@router.get("/embedding", **answers("list_embedding_models", list[EmbeddingModel]))
async def list_embedding(me: Me) -> Response:
    """List the models that turn text into vectors."""
    listings = await me.models.embeddings()
    return JsonReply([listed_embedding_model(listing) for listing in listings])
