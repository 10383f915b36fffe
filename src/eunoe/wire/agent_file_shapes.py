"""What the entries of an agent file have in common (api 7.2)."""

from typing import Annotated, Final, TypeAlias

from pydantic import ConfigDict, Field

from eunoe.domain.models import EmbeddingConfig
from eunoe.wire.models import EMBEDDING_BATCH_SIZE, EMBEDDING_CHUNK_SIZE, EmbeddingConfigBody
from eunoe.wire.shape import Shape

MOST_CHARS: Final = 500
"""How long what is looked up by may be: an index of PostgreSQL takes 2,700 bytes."""
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=MOST_CHARS)]
Size: TypeAlias = Annotated[int, Field(ge=1, le=2**31)]


class Loose(Shape):
    """An entry whose unknown fields are tolerated, and told."""

    model_config = ConfigDict(extra="allow")


class EmbeddingEntry(EmbeddingConfigBody):
    embedding_dim: Size
    embedding_chunk_size: Size = EMBEDDING_CHUNK_SIZE
    batch_size: Size = EMBEDDING_BATCH_SIZE

    def config(self) -> EmbeddingConfig:
        """Return the configuration as the file has it, whoever serves that model here."""
        return EmbeddingConfig(
            handle=self.as_handle(),
            model=self.embedding_model,
            provider_type=self.embedding_endpoint_type,
            dimensions=self.embedding_dim,
            chunk_size=self.embedding_chunk_size,
            batch_size=self.batch_size,
        )
