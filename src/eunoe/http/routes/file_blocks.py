"""The folders of an agent, and which of their files it has open (api 6.70, 15.20 to 15.30)."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.http.callers import SdkDep
from eunoe.http.deps import Me
from eunoe.http.pages import page_of
from eunoe.http.paths import AgentId, FileId, FolderId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import files, folders, states
from eunoe.store import file_blocks
from eunoe.store import folders as stored
from eunoe.store.folders import FolderFilter
from eunoe.store.paging import Page
from eunoe.wire.agents import AgentState, state
from eunoe.wire.files import AgentFiles, agent_files
from eunoe.wire.folders import Source, source

router = v1("/agents", tag="agents")

Newest = Annotated[Page, Depends(page_of(limit=100, order="desc"))]


@router.get("/{agent_id}/folders", **answers("list_folders_for_agent", list[Source]))
@router.get("/{agent_id}/sources", deprecated=True, **answers("list_agent_sources", list[Source]))
async def list_folders(agent_id: AgentId, me: Me, page: Newest) -> Response:
    async with me.read() as tx:
        await states.known(tx, agent_id)
        found = await stored.list_folders(tx, FolderFilter(agent_id=agent_id), page)
    return JsonReply([source(one) for one in found])


@router.patch(
    "/{agent_id}/folders/attach/{folder_id}", **answers("attach_folder_to_agent", AgentState | None)
)
async def attach(agent_id: AgentId, folder_id: FolderId, me: Me, sdk: SdkDep) -> Response:
    """Give the agent a folder: its files, and the tools that read them."""
    done = await folders.attach(me.db, me.actor, agent_id, folder_id)
    return JsonReply(None if sdk else state(done))


@router.patch(
    "/{agent_id}/folders/detach/{folder_id}",
    **answers("detach_folder_from_agent", AgentState | None),
)
async def detach(agent_id: AgentId, folder_id: FolderId, me: Me, sdk: SdkDep) -> Response:
    """Take a folder off the agent; the folder stays."""
    done = await folders.detach(me.db, me.actor, agent_id, folder_id)
    return JsonReply(None if sdk else state(done))


@router.patch(
    "/{agent_id}/sources/attach/{folder_id}",
    deprecated=True,
    **answers("attach_source_to_agent", AgentState),
)
async def attach_source(agent_id: AgentId, folder_id: FolderId, me: Me) -> Response:
    """Give the agent a folder; the answer is the agent, as it always was here."""
    return await attach(agent_id, folder_id, me, sdk=False)


@router.patch(
    "/{agent_id}/sources/detach/{folder_id}",
    deprecated=True,
    **answers("detach_source_from_agent", AgentState),
)
async def detach_source(agent_id: AgentId, folder_id: FolderId, me: Me) -> Response:
    """Take a folder off the agent; the answer is the agent, as it always was here."""
    return await detach(agent_id, folder_id, me, sdk=False)


@router.get("/{agent_id}/files", **answers("list_files_for_agent", AgentFiles))
async def list_files(
    agent_id: AgentId,
    me: Me,
    page: Newest,
    cursor: Annotated[str | None, Query(deprecated=True)] = None,
    is_open: bool | None = None,
) -> Response:
    """List the agent's files, the newest first, open or not."""
    wanted = replace(page, limit=page.limit + 1, after=page.after or cursor)
    async with me.read() as tx:
        await states.known(tx, agent_id)
        found = await file_blocks.page(tx, agent_id, wanted, is_open=is_open)
    if page.before is not None and wanted.after is None:
        # A page that goes backwards has its one row too many at its beginning.
        found = found[::-1][: page.limit][::-1]
    return JsonReply(agent_files(found, limit=page.limit))


@router.patch("/{agent_id}/files/close-all", **answers("close_all_files_for_agent", list[str]))
async def close_all(agent_id: AgentId, me: Me) -> Response:
    """Close all files of the agent and get the names of those that were open."""
    return JsonReply(await files.close_all(me.db, me.actor, agent_id))


@router.patch("/{agent_id}/files/{file_id}/open", **answers("open_file_for_agent", list[str]))
async def open_file(agent_id: AgentId, file_id: FileId, me: Me) -> Response:
    """Open a file in the agent's prompt and get the names of those closed for it."""
    return JsonReply(await files.open_file(me.db, me.actor, agent_id, file_id))


@router.patch("/{agent_id}/files/{file_id}/close", operation_id="close_file_for_agent")
async def close_file(agent_id: AgentId, file_id: FileId, me: Me) -> Response:
    """Close a file in the agent's prompt."""
    name = await files.close_file(me.db, me.actor, agent_id, file_id)
    return JsonReply({"message": f"The file {name} was closed."})
