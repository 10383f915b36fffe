"""Passages on the wire (api 14.2 to 14.5)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain import passages
from eunoe.domain.drafts import PassageDraft
from eunoe.domain.folders import folder_of
from eunoe.domain.messages import Json
from eunoe.domain.moments import local
from eunoe.domain.passages import PassageHit, PassageVersion
from eunoe.domain.recall import PassageQuery, TagMatch
from eunoe.errors import Invalid
from eunoe.wire.models import EmbeddingConfigResponse, embedding_config
from eunoe.wire.shape import Shape, distinct, shown_as
from eunoe.wire.times import Moment, entity_time, in_utc


def version(one: PassageVersion) -> Json:
    """Return one deed on a passage: what it said then, by whom, in which run, and when."""
    told = {"id": f"{one.passage_id}:{one.version}", **asdict(one)}
    return {**told, "created_at": entity_time(one.created_at)}


class CreatePassageBody(Shape):
    """`created_at` is ISO text here; what cannot be read is 400, not 422 (14.3)."""

    text: str
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    created_at: str | None = None

    def draft(self) -> PassageDraft:
        return self.made(
            PassageDraft,
            tags=distinct(self.tags),
            metadata=self.metadata or {},
            created_at=None if self.created_at is None else _moment(self.created_at),
        )


class CreatePassagesBody(Shape):
    passages: list[CreatePassageBody]


class CreateMemoryBody(Shape):
    text: str
    tags: list[str] | None = None
    created_at: Moment | None = None

    def draft(self) -> PassageDraft:
        return self.made(PassageDraft, tags=distinct(self.tags))


class SearchPassagesBody(Shape):
    query: str | None = None
    agent_id: str | None = None
    archive_id: str | None = None
    tags: list[str] | None = None
    tag_match_mode: TagMatch = "any"
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    start_date: Moment | None = None
    end_date: Moment | None = None

    def asked(self) -> PassageQuery:
        """Return the search; `agent_id` is looked up by the service and wins (14.5)."""
        return self.made(
            PassageQuery,
            text=self.query or "",
            tags=distinct(self.tags),
            tag_match=self.tag_match_mode,
            since=self.start_date,
            until=self.end_date,
        )


class Passage(TypedDict):
    id: str
    text: str
    embedding: Sequence[float] | None
    embedding_config: EmbeddingConfigResponse | None
    archive_id: str | None
    source_id: str | None
    file_id: str | None
    file_name: str | None
    metadata: Json
    tags: list[str]
    organization_id: str
    is_deleted: bool
    created_at: str
    updated_at: str | None
    created_by_id: str | None
    last_updated_by_id: str | None


class PassageSearchResult(TypedDict):
    passage: Passage
    score: float
    metadata: Json


class ArchivalMemorySearchResult(TypedDict):
    id: str
    timestamp: str
    content: str
    tags: list[str]


class ArchivalMemorySearchResponse(TypedDict):
    results: list[ArchivalMemorySearchResult]
    count: int


def passage(one: passages.Passage, *, organization_id: str) -> Passage:
    """Return a passage with its own vector; it is not padded (14.2, ours)."""
    of_file = one.file_id is not None
    return shown_as(
        Passage,
        one,
        embedding=one.vector,
        embedding_config=embedding_config(one.embedding),
        archive_id=None if of_file else one.archive_id,
        source_id=folder_of(one.archive_id) if of_file else None,
        organization_id=organization_id,
        is_deleted=False,
    )


def hit(found: PassageHit, *, organization_id: str) -> PassageSearchResult:
    """Return one result of the search everywhere: higher scores are better (14.5)."""
    return {
        "passage": passage(found.passage, organization_id=organization_id),
        "score": found.score,
        "metadata": {
            "combined_score": found.score,
            "fts_rank": found.text_rank,
            "vector_rank": found.vector_rank,
        },
    }


def memories(hits: Sequence[PassageHit], *, timezone: str) -> ArchivalMemorySearchResponse:
    """Return an agent's archival search, its times in the agent's zone (14.4.1)."""
    results: list[ArchivalMemorySearchResult] = [
        {
            "id": found.passage.id,
            "timestamp": local(found.passage.created_at, timezone=timezone),
            "content": found.passage.text,
            "tags": list(found.passage.tags),
        }
        for found in hits
    ]
    return {"results": results, "count": len(results)}


def _moment(text: str) -> datetime:
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise Invalid(
            f"created_at is `{text[:60]}`; write an ISO 8601 time such as 2025-04-01T09:30:00Z."
        ) from None
