"""What an agent may do to its memory, as data, and what it comes to.

A tool does not touch the store: it returns one of these, and the journal applies
it to the blocks as they are inside the committing transaction, so that two
agents which share a block cannot overwrite each other (FIX-27).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from eunoe.domain import block_set, edit_command
from eunoe.domain.block_set import Blocks
from eunoe.domain.blocks import Block
from eunoe.domain.edit_arguments import text, whole_number
from eunoe.domain.edit_patch import is_extended, patched, patched_blocks
from eunoe.domain.edit_text import inserted, plain, replaced_everywhere, replaced_once, unnumbered
from eunoe.domain.messages import Json
from eunoe.domain.overheard import ChunksKept
from eunoe.domain.tools import RETURN_CHAR_LIMIT, ToolResult
from eunoe.errors import BlockChanged, EditInvalid

_USER: Final = "human"
"""The block on the person, which is the one that a voice agent's memory is about (G24)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEdit:
    """A call of one of the block tools, not yet applied; `limit` is how much its result may say."""

    tool: str
    arguments: Json
    limit: int = RETURN_CHAR_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageInsert:
    """A text to keep in the agent's archive. `vector` is null when no embedder answered."""

    text: str
    tags: tuple[str, ...] = ()
    vector: tuple[float, ...] | None = None
    embedder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A block's value as a custom tool was given it, and as the tool left it."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWrite:
    """What a custom tool that was given the memory made of it, by label, and its result (X27)."""

    result: ToolResult
    changes: Mapping[str, Change]


MemoryEdit: TypeAlias = BlockEdit | PassageInsert | ChunksKept | StateWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What a `BlockEdit` came to: the text for the model and the blocks that changed."""

    output: str
    changed: tuple[Block, ...] = ()
    created: tuple[Block, ...] = ()
    detached: tuple[str, ...] = ()
    """Ids of the blocks that were taken off the agent; the rows survive."""


def applied(
    edit: BlockEdit | StateWrite, blocks: Sequence[Block], *, new_id: Callable[[], str]
) -> Edited:
    """Return what `edit` makes of an agent's `blocks`, `new_id` giving the ids of new ones.

    Raises `BlockMissing`, `BlockReadOnly`, `BlockFull`, `BlockExists`, `EditNotFound`,
    `EditAmbiguous`, `EditInvalid` or `BlockChanged`, and then nothing of it has happened (M5).
    Only blocks that are different afterwards are in the result (M7).
    """
    before = tuple(blocks)
    if isinstance(edit, StateWrite):
        output, after = "", _restated(edit, before)
    else:
        output, after = _edited(edit, before, new_id=new_id)
    known = {block.id: block for block in before}
    kept = {block.id for block in after}
    return Edited(
        output=output,
        changed=tuple(b for b in after if b.id in known and b != known[b.id]),
        created=tuple(b for b in after if b.id not in known),
        detached=tuple(b.id for b in before if b.id not in kept),
    )


def _edited(edit: BlockEdit, blocks: Blocks, *, new_id: Callable[[], str]) -> tuple[str, Blocks]:
    match edit.tool:
        case "memory":
            return edit_command.performed(edit.arguments, blocks, new_id=new_id)
        case "memory_finish_edits" | "finish_rethinking_memory":
            return "None", blocks
        case "memory_apply_patch" if is_extended(patch := _patch(edit)):
            return patched_blocks(blocks, patch, new_id=new_id)
        case "rethink_user_memory":
            of_user = {**edit.arguments, "label": _USER}
            return _rewritten(BlockEdit(tool="memory_rethink", arguments=of_user), blocks)
        case _:
            return _rewritten(edit, blocks)


def _restated(write: StateWrite, blocks: Blocks) -> Blocks:
    """Return `blocks` with what a program wrote; what changed while it ran is not overwritten."""
    for label, change in write.changes.items():
        if block_set.writable(blocks, label).value != change.before:
            raise BlockChanged(
                f"The block `{label}` was changed by somebody else while the tool ran; "
                "run it again.",
                label=label,
            )
        blocks = block_set.written(blocks, label, change.after)
    return blocks


def _patch(edit: BlockEdit) -> str:
    return text(edit.arguments, "patch", of="`memory_apply_patch`")


def _rewritten(edit: BlockEdit, blocks: Blocks) -> tuple[str, Blocks]:
    """Apply one of the tools that rewrite the value of the one block they name (5.2)."""
    rewrite = _REWRITES.get(edit.tool)
    if rewrite is None:
        raise EditInvalid(f"`{edit.tool}` is not a tool that edits memory blocks.", tool=edit.tool)
    label = text(edit.arguments, "label", of=f"`{edit.tool}`")
    block = block_set.writable(blocks, label)
    after = block_set.written(blocks, label, rewrite(block, edit.arguments))
    return block_set.named(after, label).value, after


def _append(block: Block, arguments: Mapping[str, object]) -> str:
    return f"{block.value}\n{text(arguments, 'content', of='`core_memory_append`')}"


def _replace_everywhere(block: Block, arguments: Mapping[str, object]) -> str:
    of = "`core_memory_replace`"
    old = text(arguments, "old_content", of=of)
    new = text(arguments, "new_content", of=of)
    return replaced_everywhere(block.value, old, new, label=block.label)


def _replace_once(block: Block, arguments: Mapping[str, object]) -> str:
    of = "`memory_replace`"
    old = plain(text(arguments, "old_string", of=of), argument="old_string")
    new = plain(text(arguments, "new_string", of=of), argument="new_string")
    return replaced_once(block.value, old, new, label=block.label)


def _insert(block: Block, arguments: Mapping[str, object]) -> str:
    of = "`memory_insert`"
    new = plain(text(arguments, "new_string", of=of), argument="new_string")
    line = whole_number(arguments, "insert_line", of=of, default=-1)
    return inserted(block.value, new, line=line, label=block.label)


def _rethink(block: Block, arguments: Mapping[str, object]) -> str:
    del block  # The whole value goes; there is nothing to look at.
    new = text(arguments, "new_memory", of="`memory_rethink`")
    unnumbered(new, argument="new_memory")
    return new


def _apply_patch(block: Block, arguments: Mapping[str, object]) -> str:
    patch = text(arguments, "patch", of="`memory_apply_patch`")
    return patched(block.value, patch, label=block.label)


_REWRITES: Final[Mapping[str, Callable[[Block, Mapping[str, object]], str]]] = {
    "core_memory_append": _append,
    "core_memory_replace": _replace_everywhere,
    "memory_replace": _replace_once,
    "memory_insert": _insert,
    "memory_rethink": _rethink,
    "memory_apply_patch": _apply_patch,
}
_OTHERS: Final = (
    "memory",
    "memory_finish_edits",
    "rethink_user_memory",
    "finish_rethinking_memory",
)
BLOCK_TOOLS: Final = frozenset({*_REWRITES, *_OTHERS})
"""Names of the tools whose calls are block edits."""
