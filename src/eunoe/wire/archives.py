"""Archives on the wire (api 14.1)."""

from typing import Literal

from typing_extensions import TypedDict

from eunoe.domain import passages
from eunoe.domain.messages import Json
from eunoe.wire.models import EmbeddedBody, EmbeddingConfigResponse, embedding_config
from eunoe.wire.shape import Shape, shown_as


class CreateArchiveBody(EmbeddedBody):
    name: str
    description: str | None = None


class UpdateArchiveBody(Shape):
    name: str | None = None
    description: str | None = None


class Archive(TypedDict):
    id: str
    name: str
    description: str | None
    organization_id: str
    vector_db_provider: Literal["native"]
    embedding_config: EmbeddingConfigResponse | None
    metadata: Json | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str | None


def archive(one: passages.Archive, *, organization_id: str) -> Archive:
    return shown_as(
        Archive,
        one,
        organization_id=organization_id,
        vector_db_provider="native",
        embedding_config=embedding_config(one.embedding),
    )
