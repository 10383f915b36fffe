"""Folders hold files that agents read: what one is, and where its passages are searched."""

from dataclasses import dataclass
from datetime import datetime

from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    id: str
    name: str
    embedding: EmbeddingConfig
    description: str | None = None
    instructions: str | None = None
    metadata: Json | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime


def partition(folder_id: str) -> str:
    """Return the id of the archive that a folder's passages are searched in."""
    return f"archive-{folder_id[-36:]}"


def folder_of(archive_id: str) -> str:
    """Return the id of the folder whose partition this is."""
    return f"source-{archive_id[-36:]}"
