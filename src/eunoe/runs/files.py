"""What an agent has open: files come and go, and what it asks to see, in one transaction each.

Opening touches the agent's files alone; its prompt follows when it is next looked at (L23b).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.domain.agents import Agent
from eunoe.domain.file_views import asked_range, shown_range, view
from eunoe.domain.files import (
    FILE_TOOLS,
    File,
    FileBlock,
    FileLimits,
    FileOpening,
    FileRequest,
    file_limits,
    opened_first,
    surplus,
)
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import EunoeError, ToolArgumentsInvalid
from eunoe.store import agents, file_blocks, file_texts, files, folders, related, tools
from eunoe.store.db import Tx
from eunoe.store.file_blocks import Shown

_NAMES_TOLD: Final = 50


async def file_tools(tx: Tx) -> list[Tool]:
    """Return the tools that an agent with folders has, as far as this server knows them (F2)."""
    found = await tools.by_names(tx, FILE_TOOLS)
    return [found[name] for name in FILE_TOOLS if name in found]


async def attach(tx: Tx, agent: Agent, folder_id: str, *, at: datetime) -> None:
    """Give the agent a folder with its files, and the tools to read them; again is no change."""
    if not await folders.attach(tx, agent.id, folder_id):
        return
    await tools.attach(tx, agent.id, [tool.id for tool in await file_tools(tx)])
    await arrive(tx, agent, await files.readable(tx, folder_id), at=at)


async def detach(tx: Tx, agent: Agent, folder_id: str) -> None:
    """Take a folder with its files off the agent; with the last one go the tools (F2)."""
    if not await folders.detach(tx, agent.id, folder_id):
        return
    await file_blocks.remove(tx, agent.id, folder_id)
    if not await related.of_one(tx, agent.id, folders.OF_AGENT):
        await tools.detach(tx, agent.id, [tool.id for tool in await file_tools(tx)])


async def arrive(tx: Tx, agent: Agent, new: Sequence[File], *, at: datetime) -> None:
    """Give the agent files that it has not got; they are opened before all others (F3)."""
    await agents.get(tx, agent.id, held=True)  # One opener at a time, or the limit is passed.
    bounds = file_limits(agent)
    held = await file_blocks.open_of(tx, agent.id)
    known = {one.file_id for one in held}
    new = [one for one in new if one.id not in known]
    if not new:
        return
    opened = opened_first([one.id for one in new], held, most=bounds.open)
    await file_blocks.close(tx, agent.id, [i for i in known if i not in opened])
    shown = [
        await _shown(tx, one.id, one.line_count or 0, bounds=bounds)
        if one.id in opened
        else Shown(file_id=one.id)
        for one in new
    ]
    await file_blocks.insert(tx, agent.id, shown, at=at)


async def bound(tx: Tx, agent: Agent) -> None:
    """Close the least recently used files past the agent's limit (F5)."""
    over = surplus(await file_blocks.open_of(tx, agent.id), most=file_limits(agent).open)
    if over:
        await file_blocks.close(tx, agent.id, [one.file_id for one in over])


async def open_one(tx: Tx, agent: Agent, block: FileBlock, *, at: datetime) -> list[str]:
    """Open a file of the agent; return the names of those that had to close for it (15.25)."""
    bounds = file_limits(agent)
    shown = await _shown(tx, block.file_id, block.line_count, bounds=bounds)
    held = await file_blocks.open_of(tx, agent.id)
    await file_blocks.show(tx, agent.id, [shown], at=at)
    over = surplus(held, most=bounds.open, keep=[block.file_id])
    await file_blocks.close(tx, agent.id, [one.file_id for one in over])
    return [one.name for one in over]


async def carry_out(tx: Tx, opening: FileOpening, *, agent: Agent, at: datetime) -> ToolResult:
    """Carry a call of `open_files` out, all of it or nothing, and say what came of it."""
    try:
        done = await _opened(tx, opening, agent=agent, at=at)
    except EunoeError as error:
        friendly = f"Error executing function open_files: {type(error).__name__}: {error}"
        return ToolResult(ok=False, output=str(error), stderr=(friendly,))
    return ToolResult(ok=True, output=done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    block: FileBlock
    start: int
    end: int | None
    is_whole: bool


async def _opened(tx: Tx, opening: FileOpening, *, agent: Agent, at: datetime) -> str:
    await agents.get(tx, agent.id, held=True)  # One opener at a time, or the limit is passed.
    bounds = file_limits(agent)
    wanted = await _wanted(tx, opening.requests, agent=agent, bounds=bounds)
    held = await file_blocks.open_of(tx, agent.id)
    keep = [one.block.file_id for one in wanted]
    most = len(keep) if opening.close_all_others else bounds.open
    over = surplus(held, most=most, keep=keep)
    await file_blocks.close(tx, agent.id, [one.file_id for one in over])
    shown = [
        await _shown(
            tx,
            one.block.file_id,
            one.block.line_count,
            bounds=bounds,
            lines=None if one.is_whole else (one.start, one.end),
        )
        for one in wanted
    ]
    await file_blocks.show(tx, agent.id, shown, at=at)
    return _told(wanted, over, asked=opening.close_all_others, most=bounds.open)


async def _wanted(
    tx: Tx, requests: Sequence[FileRequest], *, agent: Agent, bounds: FileLimits
) -> list[_Wanted]:
    """Return what was asked for; raise `ToolArgumentsInvalid` for what cannot be shown (F9)."""
    if not requests:
        raise ToolArgumentsInvalid("`file_requests` is empty; name a file to open.")
    if len(requests) > bounds.open:
        raise ToolArgumentsInvalid(
            f"You asked for {len(requests)} files, and {bounds.open} can be open at once."
        )
    found = await file_blocks.named(tx, agent.id, [one.name for one in requests])
    wanted: dict[str, _Wanted] = {}
    for one in requests:
        block = _matching(one.name, found)
        if block is None:
            names = [held.name for held in await file_blocks.every(tx, agent.id)]
            told = ", ".join(names[:_NAMES_TOLD]) or "none"
            raise ToolArgumentsInvalid(f"`{one.name}` names no single file. Your files: {told}")
        start, end = asked_range(one, line_count=block.line_count)
        whole = one.offset is None and one.length is None
        wanted[block.file_id] = _Wanted(block=block, start=start, end=end, is_whole=whole)
    return list(wanted.values())


def _matching(name: str, found: Sequence[FileBlock]) -> FileBlock | None:
    """Return the file of that name; its last part is enough where one file alone has it."""
    exact = [one for one in found if one.name == name]
    close = [one for one in found if one.name.rsplit("/", 1)[-1] == name]
    return exact[0] if exact else close[0] if len(close) == 1 else None


def _told(wanted: Sequence[_Wanted], over: Sequence[FileBlock], *, asked: bool, most: int) -> str:
    """Return what is open now and what was closed for it (F11)."""
    rows = ["Open now:"]
    for one in wanted:
        block, count = one.block, one.block.line_count
        now = shown_range(one.start, one.end, line_count=count)
        before = shown_range(block.start_line, block.end_line, line_count=count)
        moved = f" (before: {before})" if block.is_open and before != now else ""
        rows.append(f"- {block.name}: {now} of {count}{moved}")
    if over:
        names = ", ".join(one.name for one in over)
        why = "as you asked" if asked else f"since {most} files can be open at once"
        rows.append(f"Closed, {why}: {names}")
    return "\n".join(rows)


async def _shown(
    tx: Tx,
    file_id: str,
    line_count: int,
    *,
    bounds: FileLimits,
    lines: tuple[int, int | None] | None = None,
) -> Shown:
    """Return a file with what is seen of it: the whole, or lines from 0 up to an end (F12)."""
    start, end = lines or (0, None)
    found = await file_texts.lines(tx, file_id, start=start, end=end, most_chars=bounds.chars)
    visible = view(found, start=start, end=end, line_count=line_count, limit=bounds.chars)
    return Shown(
        file_id=file_id,
        visible=visible,
        start_line=None if lines is None else start,
        end_line=None if lines is None else end or line_count,
    )
