"""Files on the wire: in a folder, with an agent, and in an agent's memory (api 15.3, 15.24)."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from eunoe.domain import files
from eunoe.domain.agents import Agent
from eunoe.domain.files import FileStatus, file_limits
from eunoe.domain.messages import Json
from eunoe.wire.shape import shown_as
from eunoe.wire.times import entity_time


class File(TypedDict):
    id: str
    source_id: str
    file_name: str
    original_file_name: str
    file_path: str | None
    file_type: str
    file_size: int
    file_creation_date: str | None
    file_last_modified_date: str | None
    processing_status: FileStatus
    error_message: str | None
    total_chunks: int | None
    chunks_embedded: int | None
    content: str | None
    organization_id: str
    created_at: str
    updated_at: str


class AgentFile(TypedDict):
    id: str
    file_id: str
    file_name: str
    folder_id: str
    folder_name: str
    is_open: bool
    last_accessed_at: str
    visible_content: str | None
    start_line: int | None
    end_line: int | None


class AgentFiles(TypedDict):
    files: list[AgentFile]
    next_cursor: str | None
    has_more: bool


def file(
    one: files.File,
    *,
    organization_id: str,
    folder_name: str | None = None,
    content: str | None = None,
) -> File:
    """Return a file; its name is that in its folder, or whole where that is named (15.3)."""
    return shown_as(
        File,
        one,
        source_id=one.folder_id,
        file_name=one.name if folder_name is None else f"{folder_name}/{one.name}",
        original_file_name=one.original_name,
        file_path=None,
        file_type=one.type,
        file_size=one.size,
        file_creation_date=None,
        file_last_modified_date=None,
        processing_status=one.status,
        error_message=one.error,
        content=content,
        organization_id=organization_id,
    )


def agent_files(found: Sequence[files.FileBlock], *, limit: int) -> AgentFiles:
    """Return a page of what an agent has, of which one row more than `limit` was read (15.24)."""
    shown, more = found[:limit], len(found) > limit
    return {
        "files": [_agent_file(one) for one in shown],
        "next_cursor": shown[-1].id if more else None,
        "has_more": more,
    }


def _agent_file(one: files.FileBlock) -> AgentFile:
    return shown_as(
        AgentFile,
        one,
        file_name=one.name,
        visible_content=one.visible,
        start_line=None if one.start_line is None else one.start_line + 1,
    )


def file_block(one: files.FileBlock, *, agent: Agent) -> Json:
    """Return a file as a block of the agent's memory (F1); lines are counted from 1."""
    return {
        "id": f"block-{one.id[-36:]}",
        "file_id": one.file_id,
        "source_id": one.folder_id,
        "is_open": one.is_open,
        "value": one.visible or "",
        "label": one.name,
        "limit": file_limits(agent).chars,
        "read_only": True,
        "description": None,
        "metadata": {},
        "last_accessed_at": entity_time(one.last_accessed_at),
    }
