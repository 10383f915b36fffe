"""Folders and the files in them (api 15), under their old name as well (15.30)."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import Depends, File, Header, Query, UploadFile
from starlette.responses import Response

from eunoe.domain.files import Duplicates
from eunoe.domain.folders import partition
from eunoe.errors import Invalid, Missing
from eunoe.http.deps import Me
from eunoe.http.document import Route
from eunoe.http.pages import page_of
from eunoe.http.paths import FileId, FolderId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import files, folders
from eunoe.service.files import Upload
from eunoe.service.folders import FolderDraft
from eunoe.service.ingest import DUTY
from eunoe.store import files as stored_files
from eunoe.store import folders as stored
from eunoe.store import passages as stored_passages
from eunoe.store.folders import FolderFilter
from eunoe.store.paging import Page
from eunoe.store.passages import PassageFilter
from eunoe.wire import files as wire_files
from eunoe.wire.folders import (
    CreateFolderBody,
    Folder,
    FolderTotals,
    UpdateFolderBody,
    folder,
    totals,
)
from eunoe.wire.passages import Passage, passage

router = v1("/folders", tag="folders")
sources = v1("/sources", tag="sources", deprecated=True)
embeddings = v1("/embeddings", tag="embeddings")

_PART_BYTES: Final = 1024 * 1024
_UNITS: Final = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


@router.get("/count", **answers("count_folders", int))
async def count(me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(await stored.count(tx))


@router.get("/metadata", **answers("retrieve_metadata", FolderTotals))
async def metadata(me: Me, include_detailed_per_source_metadata: bool = False) -> Response:
    """Count the files of all folders and add up their sizes."""
    async with me.read() as tx:
        held = await stored.list_folders(tx, FolderFilter(), Page(limit=0, ascending=True))
        sizes = await stored_files.sizes(tx)
    return JsonReply(totals(held, sizes, detailed=include_detailed_per_source_metadata))


@router.get("/name/{folder_name}", deprecated=True, **answers("get_folder_by_name", str))
async def retrieve_id(folder_name: str, me: Me) -> Response:
    """Get the id of the folder with a name."""
    async with me.read() as tx:
        found = await stored.id_of(tx, folder_name)
    if found is None:
        raise Missing(f"There is no folder called `{folder_name[:80]}`.")
    return JsonReply(found)


@router.post("/", **answers("create_folder", Folder))
async def create(body: CreateFolderBody, me: Me) -> Response:
    made = await folders.create(
        me.db,
        me.actor,
        FolderDraft(
            name=body.name,
            description=body.description,
            instructions=body.instructions,
            metadata=body.metadata,
            embedding=body.embedding_handle(),
            chunk_size=body.embedding_chunk_size,
        ),
        models=me.models,
        defaults=me.defaults,
    )
    return JsonReply(folder(made))


@router.get("/", **answers("list_folders", list[Folder]))
async def list_all(
    me: Me,
    page: Annotated[Page, Depends(page_of(limit=50, order="asc"))],
    name: Annotated[str | None, Query(description="A part of the name, in any case.")] = None,
) -> Response:
    """List folders, the oldest first."""
    async with me.read() as tx:
        found = await stored.list_folders(tx, FolderFilter(name=name), page)
    return JsonReply([folder(one) for one in found])


@router.get("/{folder_id}", **answers("retrieve_folder", Folder))
async def retrieve(folder_id: FolderId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(folder(await folders.known(tx, folder_id)))


@router.patch("/{folder_id}", **answers("modify_folder", Folder))
async def update(folder_id: FolderId, body: UpdateFolderBody, me: Me) -> Response:
    draft = FolderDraft(
        name=body.name,
        description=body.description,
        instructions=body.instructions,
        metadata=body.metadata,
        embedding=body.embedding_handle(),
    )
    models = me.models
    changed = await folders.update(me.db, me.actor, folder_id, draft, models=models)
    return JsonReply(folder(changed))


@router.delete("/{folder_id}", operation_id="delete_folder")
async def delete(folder_id: FolderId, me: Me) -> Response:
    """Delete a folder with its files."""
    await folders.delete(me.db, me.actor, folder_id)
    return JsonReply(None)


@router.post("/{folder_id}/upload", **answers("upload_file_to_folder", wire_files.File))
async def upload(
    folder_id: FolderId,
    me: Me,
    file: Annotated[UploadFile, File()],
    duplicate_handling: Duplicates = "suffix",
    name: Annotated[str | None, Query(description="What to call it instead.")] = None,
) -> Response:
    """Take a file in; its text is read and embedded after the answer."""
    sent = Upload(
        name=file.filename or "" if name is None else name,
        content_type=file.content_type,
        size=file.size or 0,
        parts=_parts(file),
        duplicates=duplicate_handling,
    )
    done = await files.upload(me.db, me.actor, folder_id, sent)
    if done.is_new:
        await me.runtime.runner.due(DUTY, done.file.id)
    shown = wire_files.file(
        done.file, organization_id=me.organization_id, folder_name=done.folder.name
    )
    return JsonReply(shown, headers={} if done.is_new else {"X-Upload-Result": "skipped"})


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    """Yield the upload piece by piece: whatever is large lies on disk."""
    while data := await file.read(_PART_BYTES):
        yield data


@router.get("/{folder_id}/agents", **answers("list_agents_for_folder", list[str]))
async def list_agents(
    folder_id: FolderId, me: Me, page: Annotated[Page, Depends(page_of(limit=50, order="desc"))]
) -> Response:
    """List the ids of the agents that have the folder."""
    async with me.read() as tx:
        await folders.known(tx, folder_id)
        return JsonReply(await stored.agents_page(tx, folder_id, page))


@router.get("/{folder_id}/passages", **answers("list_folder_passages", list[Passage]))
async def list_passages(
    folder_id: FolderId, me: Me, page: Annotated[Page, Depends(page_of(limit=100, order="desc"))]
) -> Response:
    """List the passages of all files, without their vectors."""
    async with me.read() as tx:
        await folders.known(tx, folder_id)
        where = PassageFilter(archive_id=partition(folder_id))
        found = await stored_passages.list_passages(tx, where, page)
    return JsonReply([passage(one, organization_id=me.organization_id) for one in found])


@router.get("/{folder_id}/files", **answers("list_files_for_folder", list[wire_files.File]))
async def list_files(
    folder_id: FolderId,
    me: Me,
    page: Annotated[Page, Depends(page_of(limit=1_000, order="desc"))],
    include_content: bool = False,
) -> Response:
    """List the files of a folder, the newest first; with long texts fewer come at once."""
    async with me.read() as tx:
        await folders.known(tx, folder_id)
        shown = await files.page(tx, folder_id, page, with_content=include_content)
    return JsonReply([_shown(one, me.organization_id) for one in shown])


@router.get("/{folder_id}/files/{file_id}", **answers("retrieve_file", wire_files.File))
async def retrieve_file(
    folder_id: FolderId, file_id: FileId, me: Me, include_content: bool = False
) -> Response:
    found = await files.get(me.db, me.actor, folder_id, file_id, with_content=include_content)
    return JsonReply(_shown(found, me.organization_id))


@router.delete("/{folder_id}/{file_id}", operation_id="delete_file_from_folder", status_code=204)
async def delete_file(folder_id: FolderId, file_id: FileId, me: Me) -> Response:
    """Delete a file with its passages."""
    await files.delete(me.db, me.actor, folder_id, file_id)
    return Response(status_code=204)


def _shown(found: files.Read, organization_id: str) -> wire_files.File:
    return wire_files.file(found.file, organization_id=organization_id, content=found.content)


@embeddings.get("/total_storage_size", **answers("get_total_storage_size", float))
async def storage_size(
    me: Me,
    hyphened: Annotated[str | None, Header(alias="storage-unit")] = None,
    storage_unit: Annotated[str | None, Header(convert_underscores=False)] = None,
) -> Response:
    """Get how much room the vectors of all passages take."""
    unit = (hyphened or storage_unit or "GB").upper()
    if unit not in _UNITS:
        raise Invalid(f"The storage unit is one of {', '.join(_UNITS)}.")
    async with me.read(long=True) as tx:
        size = await stored_passages.vector_bytes(tx)
    return JsonReply(size / _UNITS[unit])


_SOURCES: Final = {
    "count_folders": "count_sources",
    "retrieve_metadata": "get_sources_metadata",
    "get_folder_by_name": "get_source_id_by_name",
    "create_folder": "create_source",
    "list_folders": "list_sources",
    "retrieve_folder": "retrieve_source",
    "modify_folder": "modify_source",
    "delete_folder": "delete_source",
    "upload_file_to_folder": "upload_file_to_source",
    "list_agents_for_folder": "get_agents_for_source",
    "list_folder_passages": "list_source_passages",
    "list_files_for_folder": "list_source_files",
    "retrieve_file": "get_file_metadata",
    "delete_file_from_folder": "delete_file_from_source",
}
"""What each operation was called while folders had another name."""

for route in router.routes:
    if isinstance(route, Route):
        sources.add_api_route(
            route.path.removeprefix(router.prefix),
            route.endpoint,
            methods=sorted(route.methods),
            operation_id=_SOURCES[route.options["operation_id"]],
            status_code=route.options["status_code"],
            responses=route.options["responses"],
        )
