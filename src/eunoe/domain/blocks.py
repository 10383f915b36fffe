"""A memory block: a labelled text that is always in an agent's prompt."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from eunoe.domain.messages import Json
from eunoe.domain.origins import Origin
from eunoe.errors import BlockFull

DEFAULT_LIMIT: Final = 100_000
DEFAULT_DESCRIPTIONS: Final = {
    "human": (
        "What you know of the person you talk with: name, circumstances, preferences, plans. "
        "Keep it current, so that you can answer them as someone who remembers."
    ),
    "persona": (
        "Who you are: your character, your manner of speaking, what you care about and what you "
        "have learned to do differently. It keeps you the same from one talk to the next."
    ),
}


def built_in_description(label: str) -> str | None:
    """Return what a block of this label is for, null for a label that has no meaning of its own."""
    return DEFAULT_DESCRIPTIONS.get(label.removeprefix("system/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """What a block, a draft and a patch may say, and need not."""

    description: str | None = None
    hidden: bool | None = None
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDraft(_Origin):
    """A block that is asked for. `limit` in characters."""

    label: str
    value: str = ""
    limit: int = DEFAULT_LIMIT
    read_only: bool = False
    approve_writes: bool = False
    metadata: Json = field(default_factory=dict[str, Any])
    tags: tuple[str, ...] = ()
    is_template: bool = False
    preserve_on_migration: bool | None = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPatch(_Origin):
    """A null field says nothing (api 6.40)."""

    label: str | None = None
    value: str | None = None
    limit: int | None = None
    read_only: bool | None = None
    approve_writes: bool | None = None
    metadata: Json | None = None
    tags: tuple[str, ...] | None = None
    is_template: bool | None = None
    preserve_on_migration: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(BlockDraft):
    """`version` counts its changes, so that a lost update is noticed.

    An agent's own edits of a block with `approve_writes` wait until a person allows them.
    """

    id: str
    version: int = 1
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime | None = None

    def with_value(self, value: str) -> "Block":
        """Return the block holding `value` without NULs; raise `BlockFull` past the limit (M3)."""
        clean = value.replace("\x00", "")
        if len(clean) > self.limit:
            raise BlockFull(
                f"The text has {len(clean)} characters and the block `{self.label}` holds "
                f"{self.limit}; shorten it or raise the limit.",
                label=self.label,
                limit=self.limit,
                size=len(clean),
            )
        return replace(self, value=clean)


def overlaid(blocks: Sequence[Block], copies: Sequence[Block]) -> tuple[Block, ...]:
    """Return `blocks`, each copy in the place of the one with its label, the rest last (L10)."""
    left = {copy.label: copy for copy in copies}
    here = tuple(left.pop(block.label, block) for block in blocks)
    return (*here, *left.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVersion(Origin):
    """One change of a block: what it became, by whom, whose call it was, and when.

    `metadata` and `tags` are null in the oldest records, which did not keep them.
    """

    block_id: str
    version: int
    label: str
    value: str
    limit: int
    description: str | None
    read_only: bool
    actor_id: str | None
    created_at: datetime
    metadata: Json | None = None
    tags: tuple[str, ...] | None = None


def remembered(
    block: Block, *, actor_id: str | None, at: datetime, origin: Origin | None = None
) -> BlockVersion:
    """Return the record of what a block has just become."""
    return BlockVersion(
        block_id=block.id,
        version=block.version,
        value=block.value,
        actor_id=actor_id,
        created_at=at,
        **_kept(block),
        **asdict(origin or Origin()),
    )


def restored(block: Block, past: BlockVersion) -> Block:
    """Return `block` as it was at a past version, still bearing its own; raise `BlockFull`.

    Whether its changes need approval is no part of it: going back must not open a guarded block.
    """
    kept = _kept(past)
    for name in ("metadata", "tags"):
        if kept[name] is None:
            del kept[name]
    return replace(block, **kept).with_value(past.value)


def _kept(one: Block | BlockVersion) -> Json:
    """Return what a version keeps of a block beside its text."""
    kept = ("label", "limit", "description", "read_only", "metadata", "tags")
    return {name: getattr(one, name) for name in kept}
