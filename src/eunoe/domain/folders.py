"""Folders hold files that agents read: what one is, and where its passages are searched."""

from dataclasses import dataclass

from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig
from eunoe.domain.origins import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(Stored):
    id: str
    name: str
    embedding: EmbeddingConfig
    description: str | None = None
    instructions: str | None = None
    metadata: Json | None = None


def partition(folder_id: str) -> str:
    """Return the id of the archive that a folder's passages are searched in."""
    return f"archive-{folder_id[-36:]}"


def folder_of(archive_id: str) -> str:
    """Return the id of the folder whose partition this is."""
    return f"source-{archive_id[-36:]}"
