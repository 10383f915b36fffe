"""Archives hold passages: texts an agent keeps outside its prompt and searches."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from eunoe.domain.messages import Json, Role
from eunoe.domain.models import EmbeddingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    id: str
    name: str
    description: str | None = None
    embedding: EmbeddingConfig | None = None
    metadata: Json | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """`vector` is null while no embedder has seen the text; it is found by its words then.

    A passage of a file is in the partition of the file's folder.
    """

    id: str
    archive_id: str
    text: str
    tags: tuple[str, ...] = ()
    metadata: Json = field(default_factory=dict[str, object])
    vector: tuple[float, ...] | None = None
    embedding: EmbeddingConfig | None = None
    file_id: str | None = None
    file_name: str | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


Deed: TypeAlias = Literal["created", "deleted"]
"""What can be done to a passage: no call changes the text of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageVersion:
    """One deed on a passage, by whom, whose call it was, and when; `text` is what it said."""

    passage_id: str
    version: int
    archive_id: str
    deed: Deed
    text: str
    tags: tuple[str, ...]
    actor_id: str | None
    agent_id: str | None
    run_id: str | None
    step_id: str | None
    message_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """`score` is the fused one, higher is better; ranks count from 1."""

    score: float
    text_rank: int | None = None
    vector_rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageHit(_Hit):
    passage: Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHit(_Hit):
    message_id: str
    agent_id: str
    conversation_id: str | None
    role: Role
    text: str
    created_at: datetime
