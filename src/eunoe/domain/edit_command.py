"""The `memory` tool (5.4): one tool with commands on paths, where a path names a block."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from eunoe.domain import block_set
from eunoe.domain.block_set import Blocks
from eunoe.domain.blocks import Block
from eunoe.domain.edit_arguments import optional_text, text, whole_number
from eunoe.domain.edit_text import inserted, numbered, plain, replaced_once
from eunoe.errors import EditInvalid

COMMANDS: Final = ("create", "str_replace", "insert", "delete", "rename", "view")


def performed(
    arguments: Mapping[str, object], blocks: Blocks, *, new_id: Callable[[], str]
) -> tuple[str, Blocks]:
    """Return the text for the model and the blocks after one command."""
    command = text(arguments, "command", of="`memory`")
    match command:
        case "create":
            return _create(arguments, blocks, new_id=new_id)
        case "str_replace":
            return _str_replace(arguments, blocks)
        case "insert":
            return _insert(arguments, blocks)
        case "delete":
            label = _label(arguments, "path", of="`memory delete`")
            return f"The block `{label}` was deleted.", block_set.removed(blocks, label)
        case "rename":
            return _rename(arguments, blocks)
        case "view":
            return _view(arguments, blocks), blocks
        case _:
            raise EditInvalid(
                f"There is no command `{command}`. Supported commands: {', '.join(COMMANDS)}.",
                command=command,
            )


def label_of(path: str) -> str:
    """Return the label that `path` names: without `/memories/` or the leading slash (FIX-34)."""
    return path.strip().removeprefix("/memories/").strip("/")


def _label(arguments: Mapping[str, object], name: str, *, of: str) -> str:
    return label_of(text(arguments, name, of=of))


def _create(
    arguments: Mapping[str, object], blocks: Blocks, *, new_id: Callable[[], str]
) -> tuple[str, Blocks]:
    of = "`memory create`"
    label = _label(arguments, "path", of=of)
    block = Block(id=new_id(), label=label, description=text(arguments, "description", of=of))
    value = optional_text(arguments, "file_text", of=of) or ""
    after = block_set.added(blocks, block.with_value(value))
    return f"The block `{label}` was created.", after


def _str_replace(arguments: Mapping[str, object], blocks: Blocks) -> tuple[str, Blocks]:
    of = "`memory str_replace`"
    label = _label(arguments, "path", of=of)
    old = plain(text(arguments, "old_string", of=of), argument="old_string")
    new = plain(text(arguments, "new_string", of=of), argument="new_string")
    block = block_set.writable(blocks, label)
    value = replaced_once(block.value, old, new, label=block.label)
    return value, block_set.written(blocks, label, value)


def _insert(arguments: Mapping[str, object], blocks: Blocks) -> tuple[str, Blocks]:
    of = "`memory insert`"
    label = _label(arguments, "path", of=of)
    new = plain(text(arguments, "insert_text", of=of), argument="insert_text")
    line = whole_number(arguments, "insert_line", of=of, default=-1)
    block = block_set.writable(blocks, label)
    value = inserted(block.value, new, line=line, label=block.label)
    return value, block_set.written(blocks, label, value)


def _rename(arguments: Mapping[str, object], blocks: Blocks) -> tuple[str, Blocks]:
    of = "`memory rename`"
    description = optional_text(arguments, "description", of=of)
    if optional_text(arguments, "old_path", of=of) is None and description is not None:
        label = _label(arguments, "path", of=of)
        after = block_set.described(blocks, label, description)
        return f"The description of the block `{label}` was changed.", after
    old = _label(arguments, "old_path", of=of)
    new = _label(arguments, "new_path", of=of)
    after = block_set.renamed(blocks, old, new)
    if description is not None:
        after = block_set.described(after, new, description)
    return f"The block `{old}` was renamed to `{new}`.", after


def _view(arguments: Mapping[str, object], blocks: Sequence[Block]) -> str:
    """Return one block with line numbers, or the list of all of them (M20)."""
    path = optional_text(arguments, "path", of="`memory view`") or ""
    if path.strip() in {"", "/", "/memories", "/memories/"}:
        return "\n".join(_listed(block) for block in blocks) or "There are no memory blocks."
    block = block_set.named(blocks, label_of(path))
    return numbered(block.value) or f"The block `{block.label}` is empty."


def _listed(block: Block) -> str:
    state = ", read-only" if block.read_only else ""
    about = f": {block.description}" if block.description else ""
    return f"- {block.label} ({len(block.value)} of {block.limit} characters{state}){about}"
