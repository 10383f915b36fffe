"""The `<directories>` section of a prompt: an agent's folders, and what is open in them (F14)."""

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

from eunoe.domain.agents import Agent
from eunoe.domain.files import Directory, FileBlock, file_limits

_LABELLED: Final = frozenset({"react_agent", "workflow_agent"})
_INTRODUCTION: Final = (
    "These folders are open to you. Of an open file you see a part; open another part, or "
    "another file, when you need it."
)


def directories_section(agent: Agent, directories: Sequence[Directory]) -> str:
    """Return the section, empty where the agent has no folder (L17, F14)."""
    if not directories:
        return ""
    bounds = file_limits(agent)
    count = sum(one.is_open for directory in directories for one in directory.files)
    rows = [
        "<directories>",
        _INTRODUCTION,
        "<file_limits>",
        f"- current_files_open={count}",
        f"- max_files_open={bounds.open}",
        "</file_limits>",
    ]
    for directory in directories:
        rows += _directory(directory, labelled=agent.agent_type in _LABELLED, chars=bounds.chars)
    return "\n".join([*rows, "</directories>"])


def _directory(one: Directory, *, labelled: bool, chars: int) -> list[str]:
    rows = [f"<directory name={quoteattr(one.name)}>"]
    if one.description:
        rows.append(f"<description>{one.description}</description>")
    if one.instructions:
        rows.append(f"<instructions>{one.instructions}</instructions>")
    for file in one.files:
        rows += _labelled(file, chars=chars) if labelled else _file(file, chars=chars)
    if one.unlisted:
        rows.append(f"- {one.unlisted} more files are not listed; tools can search them.")
    return [*rows, "</directory>"]


def _file(one: FileBlock, *, chars: int) -> list[str]:
    rows = [f'<file status="{_status(one)}" name={quoteattr(one.name)}>', *_metadata(one, chars)]
    if one.is_open:
        rows += ["<value>", one.visible or "", "</value>"]
    return [*rows, "</file>"]


def _labelled(one: FileBlock, *, chars: int) -> list[str]:
    """Return a file as the types without memory blocks see it: under its name (F16)."""
    return [
        f'<file status="{_status(one)}">',
        f"<{one.name}>",
        *_metadata(one, chars),
        "<value>",
        one.visible or "",
        "</value>",
        f"</{one.name}>",
        "</file>",
    ]


def _metadata(one: FileBlock, chars: int) -> list[str]:
    return [
        "<metadata>",
        "- read_only=true",
        f"- chars_current={len(one.visible or '')}",
        f"- chars_limit={chars}",
        "</metadata>",
    ]


def _status(one: FileBlock) -> str:
    return "open" if one.is_open else "closed"
