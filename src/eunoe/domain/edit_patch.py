"""The patch language of `memory_apply_patch` (5.3): hunks for one block, or operations on several.

A patch is read whole before anything is done and returns new blocks or raises,
so it never stays half applied (FIX-33).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from eunoe.domain import block_set
from eunoe.domain.block_set import Blocks
from eunoe.domain.blocks import Block
from eunoe.domain.edit_text import lines, plain, quoted
from eunoe.errors import EditAmbiguous, EditInvalid, EditNotFound

_HEADER: Final = re.compile(
    r"\*\*\* (?P<verb>Add Block|Delete Block|Update Block|Move to):[ ]*(?P<label>.*?)\s*"
)
_DESCRIPTION: Final = "Description:"
_BODY: Final = (" ", "-", "+")


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines in order, each with its sign; a bare blank line has the empty sign."""

    rows: tuple[tuple[str, str], ...]

    @property
    def before(self) -> list[str]:
        return [text for sign, text in self.rows if sign != "+"]

    @property
    def after(self) -> list[str]:
        return [text for sign, text in self.rows if sign != "-"]

    @property
    def changes(self) -> bool:
        return any(sign in {"+", "-"} for sign, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Add:
    label: str
    description: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Delete:
    label: str


@dataclass(frozen=True, slots=True)
class Update:
    label: str
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class Move:
    label: str
    to: str


Operation: TypeAlias = Add | Delete | Update | Move


def is_extended(patch: str) -> bool:
    """Whether `patch` names its blocks itself, so that the `label` argument has no say (M16)."""
    return any(_HEADER.fullmatch(line) for line in patch.split("\n"))


def patched(value: str, patch: str, *, label: str) -> str:
    """Return `value` with the hunks of `patch` applied in order (M14, M15)."""
    rows = _rows(plain(patch, argument="patch"))
    return _with_hunks(value, _hunks(rows, label=label), label=label)


def patched_blocks(blocks: Blocks, patch: str, *, new_id: Callable[[], str]) -> tuple[str, Blocks]:
    """Return what was done, as text for the model, and the blocks after `patch` (M16 to M18)."""
    done: list[str] = []
    for operation in _operations(_rows(plain(patch, argument="patch"))):
        blocks, text = _performed(blocks, operation, new_id=new_id)
        done.append(text)
    return f"Patch applied: {'; '.join(done)}. The system prompt was recompiled.", blocks


def _performed(
    blocks: Blocks, operation: Operation, *, new_id: Callable[[], str]
) -> tuple[Blocks, str]:
    match operation:
        case Add(label=label, description=description, value=value):
            block = Block(id=new_id(), label=label, description=description).with_value(value)
            return block_set.added(blocks, block), f"added `{label}`"
        case Delete(label=label):
            return block_set.removed(blocks, label), f"deleted `{label}`"
        case Update(label=label, hunks=hunks):
            block = block_set.writable(blocks, label)
            value = _with_hunks(block.value, hunks, label=label)
            return block_set.written(blocks, label, value), f"updated `{label}`"
        case Move(label=label, to=to):
            return block_set.renamed(blocks, label, to), f"renamed `{label}` to `{to}`"
        case _:
            assert_never(operation)


# Reading


def _rows(patch: str) -> list[str]:
    return patch.removesuffix("\n").split("\n")


def _operations(rows: Sequence[str]) -> list[Operation]:
    """Return what the patch asks for; a rename comes after its block's text change (FIX-32)."""
    operations: list[Operation] = []
    for verb, label, body, to in _sections(rows):
        match verb:
            case "Add Block":
                operations.append(_addition(label, body))
            case "Delete Block":
                operations.append(Delete(label))
            case _:
                if to is None or any(line.startswith(_BODY) for line in body):
                    operations.append(Update(label, _hunks(body, label=label)))
        if to is not None:
            operations.append(Move(label, to))
    return operations


def _sections(rows: Sequence[str]) -> Iterator[tuple[str, str, list[str], str | None]]:
    """Yield each operation's verb, label, body and new label; the text before is no part of it."""
    verb, label, to = "", "", None
    body: list[str] = []
    for row in rows:
        header = _HEADER.fullmatch(row)
        if header is None:
            body.append(row)
            continue
        if not header["label"]:
            raise EditInvalid(f"`{row.strip()}` names no block; write the label after the colon.")
        if header["verb"] == "Move to":
            if verb not in {"Add Block", "Update Block"} or to is not None:
                raise EditInvalid("`*** Move to:` must follow one `*** Update Block:` header.")
            to = header["label"]
            continue
        if verb:
            yield verb, label, body, to
        verb, label, to, body = header["verb"], header["label"], None, []
    yield verb, label, body, to


def _addition(label: str, body: list[str]) -> Add:
    description = None
    if body and body[0].startswith(_DESCRIPTION):
        description = body[0].removeprefix(_DESCRIPTION).strip()
        body = body[1:]
    while body and not body[-1]:
        body = body[:-1]
    kept = [row[1:] for row in body if not row or row.startswith("+")]
    return Add(label, description, "\n".join(kept))


def _hunks(rows: Sequence[str], *, label: str) -> tuple[Hunk, ...]:
    """Return the hunks of a patch body; a file header counts only before all of them (FIX-31)."""
    hunks: list[list[tuple[str, str]]] = [[]]
    for row in _without_file_header(rows):
        if row.startswith("@@"):
            hunks.append([])
        elif row.startswith(_BODY):
            hunks[-1].append((row[0], row[1:]))
        elif not row:
            hunks[-1].append(("", ""))
    found = tuple(hunk for hunk in map(Hunk, map(tuple, hunks)) if hunk.changes)
    if not found:
        raise EditInvalid(
            f"The patch for `{label}` has no hunk: start removed lines with `-`, new ones with "
            "`+` and unchanged ones with a space.",
            label=label,
        )
    return found


def _without_file_header(rows: Sequence[str]) -> Sequence[str]:
    """Return `rows` after a leading pair `--- a` and `+++ b`: only there is it not content."""
    for at, row in enumerate(rows):
        if row.startswith("--- ") and at + 1 < len(rows) and rows[at + 1].startswith("+++ "):
            return rows[at + 2 :]
        if row.startswith(("@@", *_BODY)):
            return rows
    return rows


# Applying


def _with_hunks(value: str, hunks: Sequence[Hunk], *, label: str) -> str:
    rows = lines(value.expandtabs())
    for hunk in hunks:
        rows = _with_hunk(rows, hunk, label=label)
    return "\n".join(rows)


def _with_hunk(rows: list[str], hunk: Hunk, *, label: str) -> list[str]:
    if not any(sign in {" ", "-"} for sign, _ in hunk.rows):
        return rows + _trimmed(hunk).after
    starts = _runs(rows, hunk.before)
    if not starts:
        # Blank lines around a hunk are more often spacing of the patch than context.
        hunk = _trimmed(hunk)
        starts = _runs(rows, hunk.before)
    expected = quoted(hunk.before)
    if not starts:
        raise EditNotFound(
            f"The block `{label}` has no such run of whole lines:\n{expected}", label=label
        )
    if len(starts) > 1:
        raise EditAmbiguous(
            f"These lines occur {len(starts)} times in the block `{label}`, from lines "
            f"{', '.join(str(start + 1) for start in starts)}; add lines of context:\n{expected}",
            label=label,
            lines=[start + 1 for start in starts],
        )
    at = starts[0]
    return rows[:at] + hunk.after + rows[at + len(hunk.before) :]


def _runs(rows: list[str], wanted: list[str]) -> list[int]:
    size = len(wanted)
    return [at for at in range(len(rows) - size + 1) if rows[at : at + size] == wanted]


def _trimmed(hunk: Hunk) -> Hunk:
    rows = hunk.rows
    while rows and rows[0][0] == "":
        rows = rows[1:]
    while rows and rows[-1][0] == "":
        rows = rows[:-1]
    return replace(hunk, rows=rows)
