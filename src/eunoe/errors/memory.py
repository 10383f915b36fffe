"""Memory blocks, archives and edits."""

from eunoe.errors.kinds import Conflict, Invalid, Missing


class BlockMissing(Missing):
    """The agent has no block with this label."""

    code = "block_missing"


class BlockReadOnly(Invalid):
    """The block is read-only, so tools cannot change it."""

    code = "block_read_only"


class BlockGuarded(Invalid):
    """Changes of the block need a person's approval, and nobody has given it; try again."""

    code = "block_guarded"


class BlockIsolated(Invalid):
    """The block is a conversation's own and keeps its label as long as that lasts."""

    code = "block_isolated"


class BlockFull(Invalid):
    """The block would outgrow its limit; shorten the text or raise the limit."""

    code = "block_full"


class BlockExists(Conflict):
    """The agent already has a block with this label; use another label or edit that block."""

    code = "block_exists"


class BlockChanged(Conflict):
    """The block was changed by somebody else at the same time; read it and try again."""

    code = "block_changed"
    heals = True


class EditNotFound(Invalid):
    """The text to replace does not occur in the block."""

    code = "edit_not_found"


class EditAmbiguous(Invalid):
    """The text to replace occurs more than once; quote more of its surroundings."""

    code = "edit_ambiguous"


class EditInvalid(Invalid):
    """The edit is not valid."""

    code = "edit_invalid"


class ArchiveAttached(Conflict):
    """The agent has an archive already, and it can have one; detach that first."""

    code = "archive_attached"


class EmbedderMissing(Invalid):
    """No embedding model is configured for this."""

    code = "embedder_missing"
