"""What agent files hold beside agents: folders with their files, and MCP servers (api 7.1)."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field

from eunoe.domain.agent_files import AgentRecord, FileRecord
from eunoe.domain.file_types import PLAIN, file_type, reading
from eunoe.domain.files import MAX_FILE_BYTES, File, safe_name
from eunoe.domain.folders import Folder
from eunoe.domain.mcp_servers import HttpServer, McpConfig, McpServer, StdioServer
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig
from eunoe.errors import AgentFileInvalid
from eunoe.wire import files
from eunoe.wire.agent_file_shapes import EmbeddingEntry, Loose, Name
from eunoe.wire.models import embedding_config
from eunoe.wire.times import entity_time

_NOT_TRAVELLING: Final = frozenset({"organization_id", "created_at", "updated_at"})

Bytes: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]


class SourceEntry(Loose):
    """A folder; an embedding that is not named is for the reader to choose."""

    id: Name
    name: Name
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding: str | None = None
    embedding_chunk_size: int | None = None
    embedding_config: EmbeddingEntry | None = None

    def folder(self, *, at: datetime) -> Folder:
        config = self.embedding_config
        unnamed = EmbeddingConfig(
            handle=self.embedding or "", model="", provider_type="", dimensions=0
        )
        embedding = unnamed if config is None else config.config()
        return self.made(Folder, embedding=embedding, created_at=at, updated_at=at)


class FileEntry(Loose):
    """A file with its text; how far its embedding had come does not matter here."""

    id: Name
    source_id: Name
    file_name: str | None = None
    original_file_name: str | None = None
    file_path: str | None = None
    file_type: str | None = None
    file_size: Bytes | None = None
    file_creation_date: str | None = None
    file_last_modified_date: str | None = None
    processing_status: str | None = None
    error_message: str | None = None
    total_chunks: int | None = None
    chunks_embedded: int | None = None
    content: str | None = None

    def record(self, *, at: datetime) -> FileRecord:
        """Return the file as one of plain text, whatever it was; raise `AgentFileInvalid`."""
        name = safe_name(self.file_name or self.original_file_name or self.id)
        kind = file_type(self.file_type, name) or PLAIN
        content = self.content or ""
        size = len(content.encode())
        if size > MAX_FILE_BYTES or not name or name.startswith("."):
            raise AgentFileInvalid(f"The file {self.id} is too large, or has no name.")
        return FileRecord(
            file=File(
                id=self.id,
                folder_id=self.source_id,
                name=name,
                original_name=safe_name(self.original_file_name or "") or name,
                type=kind if reading(kind) == "text" else PLAIN,
                size=size,
                created_at=at,
                updated_at=at,
            ),
            content=content,
        )


class HeldEntry(Loose):
    """A file as an agent had it; it is opened anew once it has been read."""

    id: Name
    file_id: str
    source_id: str
    agent_id: str | None = None
    file_name: str | None = None
    is_open: bool = True
    visible_content: str | None = None
    last_accessed_at: str | None = None
    start_line: int | None = None
    end_line: int | None = None


class ServerEntry(Loose):
    id: Name
    server_name: Name
    server_type: str
    server_url: str | None = None
    stdio_config: dict[str, Any] | None = None
    metadata_: dict[str, Any] | None = None

    def server(self, *, at: datetime) -> McpServer:
        return McpServer(
            id=self.id, name=self.server_name, config=self._config(), created_at=at, updated_at=at
        )

    def _config(self) -> McpConfig:
        match self.server_type:
            case "stdio":
                command = (self.stdio_config or {}).get("command")
                return StdioServer(command=command if isinstance(command, str) else "")
            case "sse" | "streamable_http" as kind:
                return HttpServer(kind=kind, url=self.server_url or "")
            case other:
                raise AgentFileInvalid(f"There are no MCP servers of type {other}.")


def source(folder: Folder) -> Json:
    return {
        "name": folder.name,
        "description": folder.description,
        "instructions": folder.instructions,
        "metadata": folder.metadata,
        "embedding": None,
        "embedding_chunk_size": None,
        "embedding_config": embedding_config(folder.embedding),
        "id": folder.id,
    }


def file(record: FileRecord) -> Json:
    """Return a file with its text; what it was read from does not travel."""
    shown: Json = {**files.file(record.file, organization_id="", content=record.content)}
    return {name: value for name, value in shown.items() if name not in _NOT_TRAVELLING}


def held(record: AgentRecord) -> list[Json]:
    """Return the files of an agent as it has them."""
    return [
        {
            "agent_id": record.agent.id,
            "file_id": one.file_id,
            "source_id": one.folder_id,
            "file_name": one.name,
            "is_open": one.is_open,
            "visible_content": one.visible,
            "last_accessed_at": entity_time(one.last_accessed_at),
            "start_line": one.start_line,
            "end_line": one.end_line,
            "id": one.id,
        }
        for one in record.files
    ]


def server(one: McpServer) -> Json:
    shown: Json = {"id": one.id, "server_name": one.name, "metadata_": None}
    match one.config:
        case StdioServer(command=command):
            stdio: Json = {"server_name": one.name, "type": "stdio", "command": command}
            stdio["args"] = []
            return shown | {"server_type": "stdio", "server_url": None, "stdio_config": stdio}
        case HttpServer(kind=kind, url=url):
            return shown | {"server_type": kind, "server_url": url, "stdio_config": None}
