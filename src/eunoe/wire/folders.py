"""Folders on the wire, under their old name too (api 15.1, 15.2)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from eunoe.domain import folders
from eunoe.domain.messages import Json
from eunoe.wire.models import (
    EmbeddedBody,
    EmbeddingConfigBody,
    EmbeddingConfigResponse,
    EmbeddingHandle,
    embedding_config,
)
from eunoe.wire.shape import Strict, shown_as


class CreateFolderBody(EmbeddedBody):
    model_config = ConfigDict(extra="forbid")

    embedding: EmbeddingHandle | None = None
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding_chunk_size: Annotated[int, Field(ge=1)] | None = None


class UpdateFolderBody(Strict):
    """Null says nothing, as an absent field does (api 6.40)."""

    name: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding_config: EmbeddingConfigBody | None = None

    def embedding_handle(self) -> str | None:
        return None if self.embedding_config is None else self.embedding_config.as_handle()


class Folder(TypedDict):
    id: str
    name: str
    description: str | None
    instructions: str | None
    metadata: Json | None
    embedding_config: EmbeddingConfigResponse | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str


class Source(Folder):
    """A folder in its old shape, which agents still show."""

    vector_db_provider: Literal["native"]


class FileStats(TypedDict):
    file_id: str
    file_name: str
    file_size: int


class SourceStats(TypedDict):
    source_id: str
    source_name: str
    file_count: int
    total_size: int
    files: list[FileStats]


class FolderTotals(TypedDict):
    total_sources: int
    total_files: int
    total_size: int
    sources: list[SourceStats]


def folder(one: folders.Folder) -> Folder:
    return shown_as(Folder, one, embedding_config=embedding_config(one.embedding))


def source(one: folders.Folder) -> Source:
    return {**folder(one), "vector_db_provider": "native"}


def totals(
    held: Sequence[folders.Folder], sizes: Sequence[tuple[str, str, str, int]], *, detailed: bool
) -> FolderTotals:
    """Return how many files the folders have and how large they are; each file if `detailed`."""
    stats: dict[str, SourceStats] = {
        one.id: {
            "source_id": one.id,
            "source_name": one.name,
            "file_count": 0,
            "total_size": 0,
            "files": [],
        }
        for one in held
    }
    for folder_id, file_id, name, size in sizes:
        if folder_id in stats:
            one = stats[folder_id]
            one["file_count"] += 1
            one["total_size"] += size
            one["files"].append({"file_id": file_id, "file_name": name, "file_size": size})
    shown = list(stats.values())
    return {
        "total_sources": len(shown),
        "total_files": sum(one["file_count"] for one in shown),
        "total_size": sum(one["total_size"] for one in shown),
        "sources": shown if detailed else [],
    }
