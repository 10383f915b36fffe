"""An agent with what is attached to it, as far as somebody asked for it."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.files import FileBlock
from eunoe.domain.folders import Folder
from eunoe.domain.groups import Group
from eunoe.domain.identities import Identity
from eunoe.domain.messages import Message
from eunoe.domain.secrets import AgentSecret
from eunoe.domain.tools import Tool

Relation: TypeAlias = Literal[
    "blocks", "tools", "sources", "tags", "identities", "managed_group", "secrets",
    "pending_approval",
]  # fmt: skip
RELATIONS: Final[frozenset[Relation]] = frozenset(get_args(Relation))
ATTACHED: Final[frozenset[Relation]] = RELATIONS - {"pending_approval"}
"""What update, attach and detach answer with (api 6.3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """A relation that nobody asked for is empty.

    `message_ids` are those in the window of the agent's own list, oldest first.
    """

    agent: Agent
    message_ids: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    files: tuple[FileBlock, ...] = ()
    """The files of its folders, which come with the blocks."""
    tools: tuple[Tool, ...] = ()
    folders: tuple[Folder, ...] = ()
    tags: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()
    secrets: tuple[AgentSecret, ...] = ()
    request: Message | None = None
    """The request for approval that waits in the agent's own list."""
    managed_group: Group | None = None
