"""The blocks of one agent as an edit sees them: looked up, changed, added and taken away.

Every function returns a new tuple or raises, so that an edit of several blocks
is whole or nothing (FIX-33). A tool may not touch a read-only block in any way,
renaming and removal included (M4, FIX-26).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from eunoe.domain.blocks import Block
from eunoe.errors import BlockExists, BlockMissing, BlockReadOnly, EditInvalid

Blocks: TypeAlias = tuple[Block, ...]


def normal(label: str) -> str:
    """Return the form in which labels that differ by `/` and `_` alone are the same (FIX-34)."""
    return label.replace("/", "_")


def find(blocks: Sequence[Block], label: str) -> Block | None:
    """Return the first block called `label`, else the first that differs by `/` and `_` alone."""
    exact = next((block for block in blocks if block.label == label), None)
    if exact is not None:
        return exact
    return next((block for block in blocks if normal(block.label) == normal(label)), None)


def named(blocks: Sequence[Block], label: str) -> Block:
    """Return the block called `label`; raise `BlockMissing` naming the labels there are (M10)."""
    block = find(blocks, label)
    if block is None:
        labels = ", ".join(f"`{each.label}`" for each in blocks) or "none"
        raise BlockMissing(
            f"There is no memory block `{label}`. Available labels: {labels}.", label=label
        )
    return block


def writable(blocks: Sequence[Block], label: str) -> Block:
    """Return the block called `label`; raise `BlockReadOnly` where tools may not touch it."""
    block = named(blocks, label)
    if block.read_only:
        raise BlockReadOnly(
            f"The block `{block.label}` is read-only, so tools cannot change it.", label=block.label
        )
    return block


def updated(blocks: Blocks, block: Block) -> Blocks:
    """Return `blocks` with `block` in the place of the one with its id."""
    return tuple(block if each.id == block.id else each for each in blocks)


def written(blocks: Blocks, label: str, value: str) -> Blocks:
    """Return `blocks` with `value` in the block called `label`, within its limit (M3)."""
    return updated(blocks, writable(blocks, label).with_value(value))


def added(blocks: Blocks, block: Block) -> Blocks:
    """Return `blocks` with a new one at the end; raise `BlockExists` if its label is taken."""
    _free(blocks, block.label)
    return (*blocks, block)


def removed(blocks: Blocks, label: str) -> Blocks:
    """Return `blocks` without the one called `label`."""
    gone = writable(blocks, label)
    return tuple(block for block in blocks if block.id != gone.id)


def renamed(blocks: Blocks, label: str, new_label: str) -> Blocks:
    """Return `blocks` with the one called `label` under `new_label`."""
    block = writable(blocks, label)
    _free([each for each in blocks if each.id != block.id], new_label)
    return updated(blocks, replace(block, label=new_label))


def described(blocks: Blocks, label: str, description: str) -> Blocks:
    """Return `blocks` with a new description of the one called `label`."""
    return updated(blocks, replace(writable(blocks, label), description=description))


def _free(blocks: Sequence[Block], label: str) -> None:
    if not label.strip():
        raise EditInvalid("A block needs a label that is not empty.")
    taken = find(blocks, label)
    if taken is not None:
        raise BlockExists(
            f"There already is a block `{taken.label}`; use another label or edit that block.",
            label=taken.label,
        )
