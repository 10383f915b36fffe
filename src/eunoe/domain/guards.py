"""Blocks that an agent may change only with a person's consent: which calls would do so."""

from collections.abc import Sequence
from itertools import count

from eunoe.domain.arguments import call_arguments
from eunoe.domain.block_set import Blocks
from eunoe.domain.blocks import Block
from eunoe.domain.edits import BlockEdit, Edited, applied
from eunoe.domain.messages import ToolCall
from eunoe.errors import EunoeError


def guarded(done: Edited, before: Sequence[Block]) -> Block | None:
    """Return a block that asks for consent and that `done` changes or takes away."""
    touched = {*(block.id for block in done.changed), *done.detached}
    return next((one for one in before if one.approve_writes and one.id in touched), None)


def changes_guarded(call: ToolCall, blocks: Blocks) -> bool:
    """Whether a call of a memory tool would change a block that asks for consent.

    One that fails changes nothing and asks nobody.
    """
    fresh = count()
    try:
        edit = BlockEdit(tool=call.name, arguments=call_arguments(call.arguments))
        done = applied(edit, blocks, new_id=lambda: f"new-{next(fresh)}")
    except EunoeError:
        return False
    return guarded(done, blocks) is not None
